"""The comparison of contracts finds what breaks publishers, subscribers and the broker."""

from __future__ import annotations

import copy
import json
from typing import Any, Final

import pytest

from events.contracts.compatibility import breaking_changes
from events.contracts.release import current

NOW: Final = json.loads(json.dumps(current()))
ID: Final = ("properties", "deviceId")
PATTERN: Final = NOW["consumed"]["device.failed"]["properties"]["deviceId"]["pattern"]

AMOUNT: Final = NOW["consumed"]["billing.overdue"]["properties"]["overdueAmount"]
DECIMAL: Final = AMOUNT["anyOf"][1]["pattern"]
RETRY: Final = ("scheduler.device-failed.retry", "arguments")
DEAD_LETTERS: Final = str(["cloudphone.dlx", "scheduler.*.failed"])


def changed(kind: str, event_type: str, path: tuple[str, ...], value: object) -> list[str]:
    """Return what breaks if the contracts of now are changed at a path; None removes."""
    after = copy.deepcopy(NOW)
    target: Any = after[kind][event_type]
    for name in path[:-1]:
        target = target[name]
    if value is None:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return list(map(": ".join, breaking_changes(NOW, after)))


def test_nothing_breaks_without_a_change() -> None:
    assert breaking_changes(NOW, NOW) == []


@pytest.mark.parametrize(
    ("path", "value", "breaking"),
    [
        (("required",), ["deviceId", "reason", "timestamp"], "timestamp: became required"),
        ((*ID, "maxLength"), 32, "deviceId: maxLength is 32, was 64"),
        ((*ID, "minLength"), 2, "deviceId: minLength is 2, was 1"),
        ((*ID, "pattern"), "^d", "deviceId: pattern is ^d, was " + PATTERN),
        (("properties", "reason", "type"), "integer", "reason: may no longer be string"),
        (("properties", "reason", "enum"), ["broken"], "reason: is limited to some values now"),
        (("properties", "version", "type"), "integer", "version: may no longer be null"),
        (("properties", "reason", "maxLength"), 300, "maxLength is 300, was unlimited"),
        (("properties", "reason", "format"), "uri", "reason: format is uri, was unlimited"),
        (("properties", "reason", "const"), "dark", "reason: const is dark, was unlimited"),
        (("additionalProperties",), False, "must not have unknown fields now"),
        (("properties", "eventId"), None, "eventId: was removed"),
    ],
)
def test_stricter_consumed_events_break_publishers(
    path: tuple[str, ...], value: object, breaking: str
) -> None:
    (found,) = changed("consumed", "device.failed", path, value)

    assert found.startswith("device.failed")
    assert found.endswith(breaking)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*ID, "maxLength"), 128),
        ((*ID, "pattern"), None),
        (("required",), ["deviceId"]),
        (("properties", "reason", "type"), ["string", "null"]),
        (("properties", "colour"), {"type": "string"}),
    ],
)
def test_more_tolerant_consumed_events_are_compatible(path: tuple[str, ...], value: object) -> None:
    assert changed("consumed", "device.failed", path, value) == []


@pytest.mark.parametrize(
    ("path", "value", "breaking"),
    [
        (("required",), ["deviceId"], "is no longer always there"),
        (("properties", "durationSeconds", "type"), ["integer", "null"], "may now be null"),
        (("properties", "durationSeconds", "minimum"), None, "minimum is unlimited, was 0"),
        (("properties", "timestamp", "format"), None, "format is unlimited, was date-time"),
        (("properties", "causedBy"), None, "causedBy: was removed"),
    ],
)
def test_looser_published_events_break_subscribers(
    path: tuple[str, ...], value: object, breaking: str
) -> None:
    found = changed("produced", "device.released", path, value)

    assert found
    assert all(one.endswith(breaking) for one in found)


@pytest.mark.parametrize(
    ("variant", "keyword", "value", "breaking"),
    [
        (0, "maximum", 100, "maximum is 100, was 1000000000000.0"),
        (0, "type", "integer", "may no longer be number"),
        (1, "pattern", "^1$", "pattern is ^1$, was " + DECIMAL),
    ],
)
def test_each_variant_of_an_amount_is_compared(
    variant: int, keyword: str, value: object, breaking: str
) -> None:
    after = copy.deepcopy(NOW)
    amount = after["consumed"]["billing.overdue"]["properties"]["overdueAmount"]
    amount["anyOf"][variant][keyword] = value

    assert list(map(": ".join, breaking_changes(NOW, after))) == [
        f"billing.overdue.overdueAmount: {breaking}"
    ]


def test_a_union_and_a_list_of_types_are_compared_with_each_other() -> None:
    version = ("properties", "version")
    same = {
        "anyOf": [{"type": "integer", "minimum": 1, "exclusiveMaximum": 2**63}, {"type": "null"}]
    }
    narrower = {"anyOf": [{"type": "integer", "minimum": 2}, {"type": "null"}]}

    assert changed("consumed", "device.failed", version, same) == []
    assert changed("consumed", "device.failed", version, narrower) == [
        "device.failed.version: minimum is 2, was 1"
    ]
    assert changed("consumed", "device.failed", version, {}) == []


def test_a_union_with_two_variants_of_a_type_is_not_compared() -> None:
    two = {"anyOf": [{"type": "string", "maxLength": 1}, {"type": "string", "pattern": "^d"}]}

    with pytest.raises(ValueError, match="two variants of type string"):
        changed("consumed", "device.failed", ("properties", "reason"), two)


@pytest.mark.parametrize(
    ("path", "value", "breaking"),
    [
        (("event", "device.failed", "routing key"), "failed", "is failed, was device.failed"),
        (("event", "device.failed", "exchange", "name"), "x", "is x, was cloudphone.events"),
        (("event", "device.released", "exchange", "type"), "fanout", "is fanout, was topic"),
        (("event", "device.failed", "critical"), False, "is False, was True"),
        (("queue", "scheduler.dead-letters"), None, "queue scheduler.dead-letters: was removed"),
        (("queue", *RETRY, "x-message-ttl"), 1, "x-message-ttl: is 1, was 60000"),
        (("queue", *RETRY, "x-expires"), 9, "x-expires: is 9, was None"),
        (("queue", "scheduler.dead-letters", "binding"), [], "is [], was " + DEAD_LETTERS),
    ],
)
def test_what_exists_on_the_broker_stays(
    path: tuple[str, ...], value: object, breaking: str
) -> None:
    (found,) = changed("broker", path[0], path[1:], value)

    assert found.endswith(breaking)


def test_an_additional_queue_is_compatible() -> None:
    assert changed("broker", "queue", ("new",), {"binding": [], "arguments": {}}) == []


def test_headers_are_compared() -> None:
    shard_key = ("properties", "x-shard-key", "maxLength")
    error = ("properties", "x-error")

    assert changed("consumed", "headers", shard_key, 8) == [
        "headers.x-shard-key: maxLength is 8, was unlimited"
    ]
    assert changed("produced", "headers of dead letters", error, None) == [
        "headers of dead letters.x-error: was removed"
    ]


def test_more_fields_of_a_published_event_are_compatible() -> None:
    colour = ("properties", "colour")

    assert changed("produced", "device.released", colour, {"type": "string"}) == []


def test_a_removed_event_and_a_removed_value_break() -> None:
    fewer = copy.deepcopy(NOW)
    del fewer["consumed"]["device.failed"], fewer["produced"]["device.released"]
    quota_type = ("properties", "quotaType", "enum")

    assert breaking_changes(NOW, fewer) == [
        ("device.failed", "was removed"),
        ("device.released", "was removed"),
    ]
    assert changed("consumed", "user.quota_exceeded", quota_type, ["devices", "cpu"]) == [
        "user.quota_exceeded.quotaType: lost values: memory"
    ]
