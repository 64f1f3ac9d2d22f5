"""The contracts break nobody who follows those of the last release, unless the version says so."""

from __future__ import annotations

import copy
import json
import logging
import re
from typing import Any, Final

import pytest

from events.contracts.compatibility import breaking_changes
from events.contracts.release import RELEASED, current, may_break, released
from local.paths import ROOT
from scheduler.observability.logger import service_logger
from scheduler.version import VERSION

NOW: Final = current()
ID: Final = ("properties", "deviceId")


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
    return breaking_changes(NOW, after)


def test_contracts_break_nothing_that_the_version_does_not_announce() -> None:
    last = released()
    breaking = breaking_changes(last, NOW)

    assert not breaking or may_break(VERSION, last["version"]), (
        f"these changes since {last['version']} need a new major version (before 1.0: a new minor"
        f" version) in layers/scheduler/scheduler/version.py: {breaking}"
    )


def test_nothing_breaks_without_a_change() -> None:
    assert breaking_changes(NOW, NOW) == []


@pytest.mark.parametrize(
    ("path", "value", "breaking"),
    [
        (("required",), ["deviceId", "reason", "timestamp"], "timestamp became required"),
        ((*ID, "maxLength"), 32, "deviceId: maxLength is 32, was 64"),
        ((*ID, "minLength"), 2, "deviceId: minLength is 2, was 1"),
        ((*ID, "pattern"), "^d", "deviceId: the pattern changed"),
        (("properties", "reason", "type"), "integer", "reason may no longer be string"),
        (("properties", "reason", "enum"), ["broken"], "reason is limited to some values now"),
        (("properties", "version", "type"), "integer", "version may no longer be null"),
        (("properties", "reason", "maxLength"), 300, "maxLength is 300, was unlimited"),
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
def test_more_tolerant_consumed_events_break_nobody(path: tuple[str, ...], value: object) -> None:
    assert changed("consumed", "device.failed", path, value) == []


@pytest.mark.parametrize(
    ("path", "value", "breaking"),
    [
        (("required",), ["deviceId"], "is no longer always there"),
        (("properties", "durationSeconds", "type"), ["integer", "null"], "may now be null"),
        (("properties", "durationSeconds", "minimum"), None, "minimum is 0, was unlimited"),
    ],
)
def test_looser_published_events_break_subscribers(
    path: tuple[str, ...], value: object, breaking: str
) -> None:
    found = changed("produced", "device.released", path, value)

    assert found
    assert all(one.endswith(breaking) for one in found)


def test_more_fields_of_a_published_event_break_nobody() -> None:
    colour = ("properties", "colour")

    assert changed("produced", "device.released", colour, {"type": "string"}) == []


def test_a_removed_event_and_a_removed_value_break() -> None:
    fewer = copy.deepcopy(NOW)
    del fewer["consumed"]["device.failed"], fewer["produced"]["device.released"]
    quota_type = ("properties", "quotaType", "enum")

    assert breaking_changes(NOW, fewer) == [
        "device.failed was removed",
        "device.released was removed",
    ]
    assert changed("consumed", "user.quota_exceeded", quota_type, ["devices", "cpu"]) == [
        "user.quota_exceeded.quotaType lost values: memory"
    ]


@pytest.mark.parametrize(
    ("version", "last", "allowed"),
    [
        ("0.1.1", "0.1.0", False),
        ("0.2.0", "0.1.9", True),
        ("1.0.0", "0.9.0", True),
        ("1.9.0", "1.0.0", False),
        ("2.0.0", "1.9.9", True),
    ],
)
def test_only_a_major_version_may_break(version: str, last: str, *, allowed: bool) -> None:
    assert may_break(version, last) is allowed


def test_the_changelog_has_the_released_version_and_this_one_follows_it() -> None:
    last = json.loads(RELEASED.read_text("utf-8"))["version"]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert last in headings
    assert [int(n) for n in VERSION.split(".")] >= [int(n) for n in last.split(".")]


def test_the_version_is_named_in_one_place() -> None:
    assert not re.search(
        r'^version = "', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )


def test_the_version_is_in_every_log_line() -> None:
    formatted = service_logger().registered_formatter.format(logging.makeLogRecord({}))

    assert json.loads(formatted)["version"] == VERSION
