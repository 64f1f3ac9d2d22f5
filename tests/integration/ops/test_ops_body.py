"""Typed values become a valid body, or an error that names the problem."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from events.bodies import SMALLEST
from operations.errors import ExitCode, InvalidInputError
from operations.event_bodies import (
    CONTRACTS,
    contract_of,
    fields,
    fill_in,
    parse_assignments,
    to_bytes,
    validate,
)
from scheduler.messaging.topology import WORK_QUEUES
from tests.support.events import encoded

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def _body(event_type: str, *arguments: str) -> dict[str, Any]:
    body: dict[str, Any] = {}
    fill_in(body, event_type, parse_assignments(arguments))
    return body


def test_body_keeps_bytes_of_the_command_line_and_refuses_half_a_surrogate_pair() -> None:
    assert to_bytes(_body("device.failed", "reason=设\udc80")) == b'{"reason": "\xe8\xae\xbe\x80"}'

    with pytest.raises(InvalidInputError, match="surrogate pair"):
        to_bytes(_body("device.failed", r'extra="\ud800"'))


def test_every_work_queue_has_a_contract() -> None:
    assert set(CONTRACTS) == {queue.event_type for queue in WORK_QUEUES}


@pytest.mark.parametrize("event_type", CONTRACTS)
def test_smallest_body_of_every_event_is_valid(event_type: str) -> None:
    validate(event_type, encoded(SMALLEST[event_type]), NOW)


@pytest.mark.parametrize(
    ("event_type", "argument", "expected"),
    [
        ("device.failed", "reason=404", {"reason": "404"}),
        ("device.failed", "reason=a=b", {"reason": "a=b"}),
        ("device.failed", "reason=", {"reason": ""}),
        ("device.failed", "version=7", {"version": 7}),
        ("device.maintenance", "estimatedDuration=30", {"estimatedDuration": 30}),
        ("user.suspended", "userId=true", {"userId": "true"}),
        ("user.quota_updated", "newQuota.maxDevices=5", {"newQuota": {"maxDevices": 5}}),
        ("user.quota_exceeded", "quotaType=devices", {"quotaType": "devices"}),
        ("billing.overdue", "overdueAmount=150.50", {"overdueAmount": 150.5}),
        ("billing.overdue", "overdueAmount=much", {"overdueAmount": "much"}),
        ("device.failed", 'extra={"a":[1]}', {"extra": {"a": [1]}}),
        ("no.event", "anything=5", {"anything": 5}),
    ],
)
def test_values_have_the_types_of_the_contract(
    event_type: str, argument: str, expected: dict[str, Any]
) -> None:
    assert _body(event_type, argument) == expected


def test_keys_with_the_same_parent_share_an_object() -> None:
    body = _body("user.quota_updated", "newQuota.maxDevices=5", "newQuota.maxCpu=16")

    assert body == {"newQuota": {"maxDevices": 5, "maxCpu": 16}}


@pytest.mark.parametrize("argument", ["deviceId", "=x", ""])
def test_argument_without_key_or_value_is_refused(argument: str) -> None:
    with pytest.raises(InvalidInputError, match="key=value"):
        parse_assignments([argument])


def test_key_into_a_value_that_is_not_an_object_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"a\.b: a is not an object"):
        _body("no.event", "a=1", "a.b=2")


@pytest.mark.parametrize(
    ("event_type", "body", "named"),
    [
        ("device.failed", b"{}", "reason"),
        (
            "user.quota_updated",
            b'{"userId":"u","newQuota":{"maxDevices":-1}}',
            "newQuota.maxDevices",
        ),
        (
            "billing.overdue",
            b'{"userId":"u","overdueAmount":"much","overdueDays":1}',
            "overdueAmount",
        ),
        ("device.failed", b"[]", "not a JSON object"),
        ("device.failed", b"\xff", "not JSON"),
        ("user.deleted", b'{"userId": "a", "userId": "b"}', "userId: occurs twice"),
    ],
)
def test_body_that_the_function_would_reject_is_refused(
    event_type: str, body: bytes, named: str
) -> None:
    with pytest.raises(InvalidInputError, match=named) as caught:
        validate(event_type, body, NOW)

    assert caught.value.code is ExitCode.USAGE


def test_error_for_a_misspelt_event_suggests_the_right_one() -> None:
    with pytest.raises(InvalidInputError, match=r"did you mean device\.failed\?"):
        contract_of("device.faild")


def test_fields_have_paths_types_and_choices() -> None:
    by_path = {field.path: field for field in fields("user.quota_exceeded")}

    assert by_path["userId"].required
    assert by_path["quotaType"].choices == ("devices", "cpu", "memory")
    assert not by_path["version"].required
    assert "timestamp" not in by_path
    assert {"newQuota.maxDevices", "newQuota.maxCpu"} <= {
        field.path for field in fields("user.quota_updated") if not field.is_text
    }
