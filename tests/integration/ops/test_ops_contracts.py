"""The commands ``events`` and ``validate``, which need no broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from events.bodies import SMALLEST
from events.repairs import REFUSALS, RefusedBody, refusal
from scheduler.version import VERSION
from tests.integration.ops.running import run
from tests.support.events import EVENT_TYPES

if TYPE_CHECKING:
    from pathlib import Path


def test_all_events_are_listed_with_class_and_meaning() -> None:
    result = run("events")

    assert result.exit_code == 0
    for event_type in (*EVENT_TYPES, "device.allocated", "device.released", "device.extended"):
        assert event_type in result.output
    assert "informational  The state of a device changed." in result.output


def test_an_event_is_shown_with_fields_example_and_notifications() -> None:
    shown = run("events", "user.quota_updated").output

    assert "newQuota.maxCpu" in shown
    assert "The number of cores of all devices together." in shown
    assert (
        "Notifies: device_released (websocket), quota_adjusted.updated (websocket, email)" in shown
    )
    assert '"newQuota": {"maxDevices": 5, "maxCpu": 20, "maxMemory": 40960}' in shown
    assert json.loads(run("events", "user.quota_updated", "--json").output)["x-critical"] is True


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_an_event_fits_a_terminal_of_80_columns(event_type: str) -> None:
    shown = run("events", event_type, COLUMNS="80", FORCE_COLOR="1").output

    assert max(map(len, shown.partition("\nExample:")[0].splitlines())) <= 80


def test_an_unknown_event_is_answered_with_a_suggestion() -> None:
    result = run("events", "device.fail")

    assert result.exit_code == 2
    assert "did you mean device.failed?" in result.stderr


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_valid_file_is_accepted_by_its_name(tmp_path: Path, event_type: str) -> None:
    file = tmp_path / f"{event_type}-1.json"
    file.write_text(json.dumps(SMALLEST[event_type]))

    result = run("validate", str(file))

    assert (result.exit_code, result.output) == (0, f"{file}: {event_type}: accepted\n")


@pytest.mark.parametrize("example", REFUSALS, ids=lambda example: example.what)
def test_a_refused_body_is_reported_in_the_words_of_x_error(
    tmp_path: Path, example: RefusedBody
) -> None:
    file = tmp_path / "body.json"
    body = example.body
    file.write_bytes(body if isinstance(body, bytes) else body.encode())

    result = run("validate", str(file), "--event", example.event_type, "--json")

    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)["files"]
    assert found["error"] == refusal(example)


def test_the_type_of_an_envelope_counts_and_every_file_is_checked(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"pattern": "device.deleted", "data": {"deviceId": "d1"}}')
    (tmp_path / "b.json").write_text('{"eventType": "user.deleted", "payload": {"userId": ""}}')
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]

    result = run("validate", *files)

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{files[0]}: device.deleted: accepted",
        f"{files[1]}: user.deleted: userId: String should have at least 1 character",
    ]


def test_standard_input_is_checked() -> None:
    result = run("validate", "-", "--event", "device.failed", stdin='{"deviceId": "d1"}')

    assert (result.exit_code, result.output) == (1, "-: device.failed: reason: Field required\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("no-such-file.json",), "cannot be read: No such file or directory"),
        (("-",), "names no event type"),
        (("-", "--event", "device.explode"), "unknown event device.explode"),
    ],
)
def test_what_cannot_be_checked_exits_with_2(arguments: tuple[str, ...], error: str) -> None:
    result = run("validate", *arguments, stdin="{}")

    assert result.exit_code == 2
    assert error in result.stderr


def test_version_is_printed() -> None:
    assert run("--version").output == f"{VERSION}\n"
