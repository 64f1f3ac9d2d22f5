"""The contracts break nobody who follows those of the last release, unless it is announced."""

from __future__ import annotations

import copy
import json
import logging
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import pytest

from events.contracts.compatibility import BreakingChange, breaking_changes
from events.contracts.release import BREAKING, RELEASED, current, may_break, released
from local.paths import ROOT
from scheduler.observability.logger import service_logger
from scheduler.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW: Final = current()
ID: Final = ("properties", "deviceId")
PATTERN: Final = NOW["consumed"]["device.failed"]["properties"]["deviceId"]["pattern"]


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


def announced() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(BREAKING.read_text("utf-8"))
    return entries


def as_entries(changes: Iterable[BreakingChange]) -> str:
    """Return changes as contracts/breaking.json has them."""
    found = groupby(sorted(changes, key=lambda one: one.change), key=lambda one: one.change)
    return json.dumps(
        [
            {"changelog": "", "change": change, "where": [one.where for one in of]}
            for change, of in found
        ],
        ensure_ascii=False,
        indent=1,
    )


def test_breaking_changes_are_written_down() -> None:
    listed = {
        BreakingChange(where, entry["change"]) for entry in announced() for where in entry["where"]
    }
    breaking = set(breaking_changes(released(), NOW))

    new, gone = breaking - listed, listed - breaking
    assert not new, f"avoid these, or add them to contracts/breaking.json: {as_entries(new)}"
    assert not gone, f"remove what breaks nothing from contracts/breaking.json: {as_entries(gone)}"


def test_the_version_allows_breaking_changes() -> None:
    last = released()["version"]

    assert not announced() or may_break(VERSION, last), (
        f"breaking changes since {last} need a new major version (before 1.0: a new minor"
        " version) in layers/scheduler/scheduler/version.py"
    )


def test_the_changelog_tells_each_breaking_change() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    unreleased = " ".join(changelog.partition("## Unreleased")[2].partition("\n## ")[0].split())

    for entry in announced():
        assert entry["changelog"], entry
        assert entry["changelog"] in unreleased


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
        (("properties", "durationSeconds", "minimum"), None, "minimum is unlimited, was 0"),
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
        ("device.failed", "was removed"),
        ("device.released", "was removed"),
    ]
    assert changed("consumed", "user.quota_exceeded", quota_type, ["devices", "cpu"]) == [
        "user.quota_exceeded.quotaType: lost values: memory"
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
