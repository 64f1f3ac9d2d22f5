"""``dead-letters replay`` asks before old letters take devices from their present holders."""

from __future__ import annotations

import json
import os
import pty
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from operations.dead_letters.takeovers import OldRelease, find_takeovers
from scheduler.database.connection import Database
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.ops.letters import letter
from tests.integration.ops.running import start
from tests.support.statements import counted
from tests.support.world import device, held, world

if TYPE_CHECKING:
    from tests.integration.ops.letters import Broker
    from tests.integration.ops.running import DeadLetters
    from tests.support.store import Store

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
LAST_WEEK = NOW - timedelta(days=7)
FAILED = "scheduler.device-failed"


@pytest.fixture
def store(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the database, which the command line uses as well."""
    store.seed(world(held("d1", by="u2", since=NOW - HOUR), device("d2")))
    monkeypatch.setenv("DATABASE_URL", database_url)
    return store


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("as_json", [True, False])
def test_without_a_terminal_nothing_is_replayed_and_the_letters_are_named(
    broker: Broker, dead_letters: DeadLetters, *, as_json: bool
) -> None:
    broker.publish(
        letter(id="m-1", deviceId="d1", at=LAST_WEEK), letter(id="m-2", deviceId="d2", at=LAST_WEEK)
    )

    result = dead_letters.run("replay", *(["--json"] if as_json else []))

    assert result.exit_code == 1
    error = json.loads(result.stderr)["error"] if as_json else result.stderr
    assert "nothing was replayed: there is no terminal to ask on. 1 letter older than" in error
    assert f"m-1: device.failed of d1 at {LAST_WEEK:%Y-%m-%d %H:%M} UTC" in error
    assert f"held by u2 since {NOW - HOUR:%Y-%m-%d %H:%M} UTC" in error
    assert "--yes" in error
    assert "m-2" not in error
    assert broker.depth(FAILED) == 0
    assert broker.depth(DEAD_LETTER_QUEUE) == 2


@pytest.mark.usefixtures("store")
def test_yes_replays_without_a_question(broker: Broker, dead_letters: DeadLetters) -> None:
    broker.publish(letter(id="m-1", deviceId="d1", at=LAST_WEEK))

    assert dead_letters.json("replay", "--yes")["replayed"] == 1
    assert broker.ids(FAILED) == ["m-1"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("answer", "code", "replayed"), [("y", 0, ["m-1"]), ("n", 1, [])])
def test_on_a_terminal_the_operator_decides(
    answer: str, code: int, replayed: list[str], broker: Broker
) -> None:
    broker.publish(letter(id="m-1", deviceId="d1", at=LAST_WEEK))
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        with start("dead-letters", "replay", stdin=theirs, BROKER_URL=broker.url) as process:
            _, error = process.communicate(timeout=30)
    finally:
        os.close(ours)
        os.close(theirs)

    assert process.returncode == code
    assert "held by u2" in error
    assert "Replay them?" in error
    assert broker.ids(FAILED) == replayed


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("device.failed", {"at": NOW - 23 * HOUR}),  # not older than a day
        ("device.failed", {"at": LAST_WEEK, "deviceId": "d2"}),  # nobody holds it
        ("device.failed", {"at": LAST_WEEK, "deviceId": "unknown"}),
        ("device.failed", {"body": b"no JSON", "failed_at": LAST_WEEK}),
        ("device.created", {"at": LAST_WEEK}),
        ("device.status_changed", {"at": LAST_WEEK, "newStatus": "running"}),
        ("device.status_changed", {"at": LAST_WEEK, "oldStatus": "error", "newStatus": "stopped"}),
        ("user.suspended", {"at": LAST_WEEK, "userId": "u2"}),
    ],
)
def test_other_letters_are_replayed_at_once(
    event_type: str, fields: dict[str, Any], broker: Broker, dead_letters: DeadLetters
) -> None:
    subject = {} if event_type.startswith("user") or "body" in fields else {"deviceId": "d1"}
    broker.publish(letter(event_type, **{**subject, **fields}))

    assert dead_letters.json("replay")["replayed"] == 1


def test_device_held_since_before_the_event_is_taken_without_a_question(
    store: Store, broker: Broker, dead_letters: DeadLetters
) -> None:
    store.seed(world(held("d3", by="u3", since=LAST_WEEK - HOUR)))
    broker.publish(letter(id="m-1", deviceId="d3", at=LAST_WEEK))

    assert dead_letters.json("replay")["replayed"] == 1


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("device.deleted", {}),
        ("device.maintenance", {}),
        ("device.status_changed", {"oldStatus": "RUNNING", "newStatus": "Error"}),
    ],
)
def test_all_events_that_release_a_device_are_checked(
    event_type: str, fields: dict[str, Any], broker: Broker, dead_letters: DeadLetters
) -> None:
    broker.publish(letter(event_type, deviceId="d1", at=LAST_WEEK, **fields))

    result = dead_letters.run("replay")

    assert (result.exit_code, "held by u2" in result.stderr) == (1, True)


@pytest.mark.usefixtures("store")
def test_event_without_a_time_is_as_old_as_its_receipt(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    broker.publish(letter(deviceId="d1", failed_at=LAST_WEEK))

    assert dead_letters.run("replay").exit_code == 1


@pytest.mark.usefixtures("store")
def test_dry_run_lists_the_devices_it_would_take(broker: Broker, dead_letters: DeadLetters) -> None:
    broker.publish(letter(id="m-1", deviceId="d1", at=LAST_WEEK))

    told = dead_letters.json("replay", "--dry-run")

    assert told["replayed"] == 1
    assert [(one["id"], one["deviceId"], one["holder"]) for one in told["takesDevices"]] == [
        ("m-1", "d1", "u2")
    ]


def test_letters_that_cannot_be_checked_need_confirmation_too(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    broker.publish(letter(id="m-1", deviceId="d1", at=LAST_WEEK))

    without = dead_letters.run("replay")
    unreachable = dead_letters.run("replay", "--database-url", "mysql://nobody@127.0.0.1:1/nowhere")

    assert (without.exit_code, unreachable.exit_code) == (1, 1)
    assert "cannot be checked" in without.stderr
    assert "add --database-url" in without.stderr
    assert "cannot reach the database" in unreachable.stderr
    assert dead_letters.json("replay", "--dry-run")["takesDevices"] is None
    assert dead_letters.json("replay", "--yes")["replayed"] == 1


def test_one_query_looks_up_the_holders_of_all_letters(
    store: Store, broker: Broker, dead_letters: DeadLetters
) -> None:
    store.seed(world(*(held(f"x{n}", by=f"owner-{n}", since=NOW - HOUR) for n in range(30))))
    broker.publish(*(letter(deviceId=f"x{n}", at=LAST_WEEK) for n in range(30)))
    releases = [OldRelease(f"m-{n}", "device.failed", f"x{n}", LAST_WEEK) for n in range(30)]

    result = dead_letters.run("replay")
    with (
        closing(Database(store.settings)) as database,
        counted(database) as statements,
        database.transaction() as cursor,
    ):
        found = find_takeovers(cursor, releases)

    assert "30 letters older than a day" in result.stderr
    assert "and 10 more" in result.stderr
    assert (len(found), statements.total) == (30, 1)
