"""Bodies that violate their contract become dead letters with a readable reason."""

from typing import Any

import pytest

from tests.support.events import message
from tests.support.functions import Functions
from tests.support.queues import Queues
from tests.support.store import Store

BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "an oversized id": (
        "device.failed",
        {"deviceId": "x" * 65},
        "deviceId: String should have at most 64 characters",
    ),
    "a NUL byte in an id": (
        "device.failed",
        {"deviceId": "d\x00"},
        "deviceId: must not contain control characters, or blanks at either end",
    ),
    "an empty id": ("user.activated", {"userId": ""}, "userId: String should have at least 1"),
    "a negative amount": (
        "billing.overdue",
        {"overdueAmount": -1},
        "overdueAmount: Input should be greater than or equal to 0",
    ),
    "an absurd amount": (
        "billing.recharged",
        {"amount": 1e300},
        "amount: Input should be less than or equal to 1000000000000",
    ),
    "a number that is none": (
        "billing.payment_failed",
        {"amount": "NaN"},
        "amount: must be a decimal number such as 150.50",
    ),
    "a timestamp without zone": (
        "device.failed",
        {"timestamp": "2026-03-01T12:00:00"},
        "timestamp: Input should have timezone info",
    ),
    "an impossible zone": (
        "device.failed",
        {"timestamp": "2026-03-01T12:00:00+99:00"},
        "timestamp: Input should be a valid datetime",
    ),
    "the year 0": (
        "user.suspended",
        {"timestamp": "0000-01-01T00:00:00Z"},
        "timestamp: Input should be a valid datetime, year 0 is out of range",
    ),
    "the year 1999": (
        "user.suspended",
        {"timestamp": "1999-12-31T23:59:59Z"},
        "timestamp: is before the year 2000",
    ),
    "version 0": (
        "device.failed",
        {"version": 0},
        "version: Input should be greater than or equal to 1",
    ),
    "version 2^63": ("device.failed", {"version": 2**63}, "version: Input should be less than"),
    "a quota of another kind": (
        "user.quota_updated",
        {"newQuota": {"maxDevices": "many"}},
        "newQuota.maxDevices: Input should be a valid integer",
    ),
    "a status that is a number": (
        "device.status_changed",
        {"newStatus": 5},
        "newStatus: Input should be a valid string",
    ),
    "a lone surrogate in an id": (
        "user.activated",
        {"body": b'{"userId": "\\ud800"}'},
        "userId: contains U+FFFD, the replacement for text that is not UTF-8",
    ),
    "Latin-1 in an id": (
        "user.activated",
        {"body": b'{"userId": "andr\xe9"}'},
        "userId: contains U+FFFD, the replacement for text that is not UTF-8",
    ),
    "a slash in an id": (
        "device.deleted",
        {"deviceId": "rack/1"},
        "deviceId: must not contain / or ?",
    ),
}
RAW = {
    "nothing": (b"", "body is not JSON: EOF while parsing a value"),
    "half an object": (b'{"deviceId": "d1"', "body is not JSON: EOF while parsing an object"),
    "a gzip stream": (b"\x1f\x8b\x08\x00", "body is not JSON: expected value"),
    "a list": (b"[1, 2]", "body is not a JSON object but a list"),
    "NaN": (b'{"deviceId": "d1", "reason": NaN}', "body is not JSON: it has NaN, which JSON"),
    "deep nesting": (b'{"a":' + b"[" * 9000 + b"]" * 9000 + b"}", "body is not JSON: recursion"),
    "half an object with half an emoji": (b'{"deviceId": "\\ud83d', "body is not JSON: "),
    "an endless number": (b'{"a": ' + b"9" * 9000 + b"}", "body is not JSON: number out of range"),
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_field_is_named_in_the_dead_letter(
    name: str, store: Store, connected: Functions, queues: Queues
) -> None:
    event_type, fields, why = BAD[name]
    before = store.state()
    sent = message(event_type, **fields)

    assert connected.handle(sent) == {"invalid": 1}

    (letter,) = queues.take()
    assert letter.body == sent.body
    assert letter.headers["x-error"].startswith(why)
    assert store.state() == before


@pytest.mark.parametrize("name", RAW)
def test_body_that_is_not_a_json_object_is_a_dead_letter(
    name: str, store: Store, connected: Functions, queues: Queues
) -> None:
    body, why = RAW[name]
    before = store.state()

    assert connected.handle(message("device.failed", body=body)) == {"invalid": 1}

    (letter,) = queues.take()
    assert (letter.body, letter.routing_key) == (body, "scheduler.device-failed.failed")
    assert letter.headers["x-error"].startswith(why)
    assert store.state() == before
