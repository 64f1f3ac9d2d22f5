"""Any body is accepted or refused with a reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.bodies import SMALLEST
from operations.event_bodies import fields
from tests.support.anything import json_values, texts
from tests.support.events import EVENT_TYPES
from tests.unit.messaging.reading import REQUIRED, event, refusal


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "body is not JSON: EOF while parsing"),
        (b'{"deviceId": "d1", "reason": ', "body is not JSON: EOF while parsing"),
        (b"\xff\xfe", "body is not JSON: expected value"),
        (b"null", "body is not a JSON object but a NoneType"),
        (b"[]", "body is not a JSON object but a list"),
        (b'"text"', "body is not a JSON object but a str"),
        (b"1", "body is not a JSON object but a int"),
        (b'{"deviceId": NaN}', "body is not JSON: it has NaN, which JSON cannot express"),
        (b'{"deviceId": -Infinity}', "body is not JSON: it has -Infinity, which"),
        (b'{"deviceId": "\\ud800", NaN}', "body is not JSON: "),
        (b'{"deviceId": "\\ud800", "x": NaN}', "body is not JSON: "),
        (b'{"deviceId": "d1"} {}', "body is not JSON: trailing characters"),
        (b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "body is not JSON: recursion limit"),
        (b'{"x": ' + b"9" * 5_000 + b"}", "body is not JSON: number out of range"),
    ],
)
def test_body_that_is_not_a_json_object_is_refused(body: bytes, why: str) -> None:
    assert refusal("device.failed", body=body).startswith(why)


@given(raw=(st.binary() | st.text().map(str.encode)).filter(lambda raw: b"{" not in raw))
def test_any_bytes_without_an_object_are_refused_with_a_reason(raw: bytes) -> None:
    assert refusal("device.failed", body=raw)


@given(
    event_type=st.sampled_from(EVENT_TYPES),
    fields=st.dictionaries(
        st.sampled_from(
            sorted({*(f for _, f in REQUIRED), "timestamp", "version", "eventId", "name"})
        ),
        json_values,
    ),
)
def test_any_values_are_accepted_or_refused_with_a_reason(
    event_type: str, fields: dict[str, Any]
) -> None:
    why = refusal(event_type, body=json.dumps(SMALLEST[event_type] | fields).encode())

    assert why == why.strip()


TEXTS = [
    (event_type, field.path)
    for event_type in EVENT_TYPES
    for field in fields(event_type)
    if field.is_text and not field.choices and field.path not in {"deviceId", "userId", "eventId"}
]


def test_free_texts_are_the_known_ones() -> None:
    assert {path for _, path in TEXTS} == {
        *("reason", "name", "maintenanceType"),
        *("oldStatus", "newStatus", "status", "adbHost"),
    }


@pytest.mark.parametrize(("event_type", "field"), TEXTS)
@given(text=texts | st.text(max_size=1000))
def test_any_text_in_a_free_text_is_accepted(event_type: str, field: str, text: str) -> None:
    body = SMALLEST[event_type] | {field: text}

    found = event(event_type, body=json.dumps(body).encode())

    cut = found.model_dump(by_alias=True)[field]
    assert len(cut) <= 300
    cut.encode()
