"""Arguments of operations: AMQP's limits are bytes; the audit table holds named fields only."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from operations.audit import RECORDED
from operations.catalogue import OPERATIONS, validated
from operations.errors import InvalidInputError
from operations.publishing import MAX_BODY_BYTES, message_ids

PERSONAL = {"body", "letters"}
HALVES = ["\ud800", "a\udbff", "\ude00"]
EDIT: dict[str, Any] = {"fingerprint": "f" * 64, "newId": "new", "body": "{}"}
PUBLISH: dict[str, Any] = {
    "eventType": "device.failed",
    "body": base64.b64encode(b"{}").decode("ascii"),
    "ids": ["m-1"],
}
MOMENTS = [
    (name, to_camel(field))
    for name, one in OPERATIONS.items()
    for field, about in one.arguments.model_fields.items()
    if "Datetime" in str(about.annotation)
]
LONGEST = ["a" * 255, "é" * 127 + "a", "设" * 85, "😀" * 63 + "abc"]
"""Texts of 255 bytes."""


def refused(operation: str, arguments: dict[str, Any]) -> str:
    with pytest.raises(InvalidInputError) as caught:
        validated(operation, arguments)
    return str(caught.value)


@pytest.mark.parametrize("text", LONGEST)
def test_ids_and_event_types_may_have_255_bytes(text: str) -> None:
    assert len(text.encode()) == 255
    validated("publish", PUBLISH | {"ids": [text]})
    validated("publish", PUBLISH | {"eventType": text})

    assert "255 bytes" in refused("publish", PUBLISH | {"ids": ["m-1", f"{text}a"]})
    assert "255 bytes" in refused("publish", PUBLISH | {"eventType": f"{text}a"})


@pytest.mark.parametrize("text", LONGEST)
def test_too_long_ids_are_refused_before_the_first_is_published(text: str) -> None:
    assert message_ids(1, text) == [text]

    with pytest.raises(InvalidInputError, match="255 bytes"):
        message_ids(2, text)


def test_empty_id_is_refused_before_anything_is_published() -> None:
    with pytest.raises(InvalidInputError, match="1 to 255 bytes"):
        message_ids(1, "")


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    ("operation", "field"),
    [(name, field) for name, one in OPERATIONS.items() for field in one.arguments.model_fields],
)
def test_half_a_surrogate_pair_is_refused_in_every_argument(
    operation: str, field: str, half: str
) -> None:
    name = to_camel(field)

    for value in (half, [half]):
        assert name in refused(operation, {name: value})


@pytest.mark.parametrize("moment", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"])
@pytest.mark.parametrize(("operation", "field"), MOMENTS)
def test_time_that_is_out_of_range_in_utc_is_refused(
    operation: str, field: str, moment: str
) -> None:
    assert f"{field}: is out of range" in refused(operation, {field: moment})
    assert f"{field}: must be" in refused(operation, {field: 0})  # not a second of 1970


def test_edited_body_keeps_bytes_that_are_not_utf_8() -> None:
    text = b'{"reason": "\x80\xff \xe8\xae\xbe"}'.decode("utf-8", "surrogateescape")

    given: Any = validated("dead-letters.edit", EDIT | {"body": text})

    assert given.body == b'{"reason": "\x80\xff \xe8\xae\xbe"}'
    assert "surrogate pair" in refused("dead-letters.edit", EDIT | {"body": "\ud800"})


def test_edited_body_is_limited_in_bytes() -> None:
    validated("dead-letters.edit", EDIT | {"body": "é" * (MAX_BODY_BYTES // 2)})

    assert "body" in refused("dead-letters.edit", EDIT | {"body": "é" * (MAX_BODY_BYTES // 2 + 1)})


def test_audit_table_holds_every_argument_except_personal_data() -> None:
    changing = [one.arguments for one in OPERATIONS.values() if one.changes]
    fields = {field for arguments in changing for field in arguments.model_fields}

    assert fields - RECORDED == PERSONAL, "put the new argument into RECORDED, or into PERSONAL"
    assert fields > RECORDED
