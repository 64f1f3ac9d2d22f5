"""The contracts are compatible with those of the last release, except for announced changes."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import pytest

from events.contracts.compatibility import BreakingChange, breaking_changes
from events.contracts.release import BREAKING, RELEASED, current, may_break, released
from local.paths import ROOT
from scheduler.observability.logger import service_logger
from scheduler.version import VERSION
from tests.integration.rolling.release import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOW: Final = current()


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


def test_the_changelog_describes_each_breaking_change() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    unreleased = " ".join(changelog.partition("## Unreleased")[2].partition("\n## ")[0].split())

    for entry in announced():
        assert entry["changelog"], entry
        assert entry["changelog"] in unreleased


def test_the_recorded_broker_is_that_of_the_released_code(tmp_path: Path) -> None:
    topology = "scheduler.messaging.topology"
    queues = (
        f"import json, {topology} as t;"
        "print(json.dumps([[q.name, list(q.binding or ()), q.arguments] for q in t.queues()]))"
    )

    printed = subprocess.check_output(
        (sys.executable, "-c", queues), cwd=unpack(tmp_path) / "layers/scheduler", text=True
    )

    assert released()["broker"]["queue"] == {
        name: {"binding": binding, "arguments": arguments}
        for name, binding, arguments in json.loads(printed)
    }


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
