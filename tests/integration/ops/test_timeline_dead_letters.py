"""Every dead letter that the timeline shows is found by the command that the timeline prints."""

from __future__ import annotations

import getpass
import json
import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

from device_events.contracts import DeviceFailed
from scheduler.pipeline.event_rules import EventRules
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import DeadLetters, run
from tests.support.events import encoded, message
from tests.support.functions import Functions
from tests.support.world import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.domain.work import Work
    from scheduler.messaging.message import Message
    from tests.support.store import Store

LAST_ATTEMPT: Final = {"x-attempt": 3}
NOT_EVENTS: Final = {"deviceId": "d1", "reason": 5}

buggy = EventRules()


@buggy.on(DeviceFailed)
def crash(_event: DeviceFailed, _work: Work) -> NoReturn:
    raise LookupError("a bug")


def failing(id_: str | None, **fields: Any) -> Message:  # noqa: ANN401 - any field
    return message("device.failed", id=id_, headers=LAST_ATTEMPT, deviceId="d1", **fields)


def invalid(id_: str | None, **fields: object) -> Message:
    return message("device.failed", id=id_, body=encoded(NOT_EVENTS | fields))


MESSAGES: Final = {
    "message id": failing("m-1"),
    "message id with a blank": failing("m 2"),
    "message id in Chinese": failing("消息-3"),
    "message id for a shell": failing("$(reboot)"),
    "message id like an option": failing("-m"),
    "event id": failing(None, eventId="e-1"),
    "event id with a blank": failing(None, eventId="e 2"),
    "given id": failing(None, reason="no id"),
    "message id, invalid": invalid("m-4"),
    "message id with a blank, invalid": invalid("m 5"),
    "event id, invalid": invalid(None, eventId="e-3"),
    "event id in an envelope, invalid": message(
        "device.failed",
        id=None,
        body=encoded({"eventId": "e-4", "eventType": "device.failed", "payload": NOT_EVENTS}),
    ),
    "no id, invalid": invalid(None),
    "no id, killed its consumer": message(
        "device.failed", id=None, redelivered=True, deviceId="d1", reason="killer"
    ),
    "event id, killed its consumer": message(
        "device.failed", id=None, redelivered=True, deviceId="d1", eventId="e-5"
    ),
}


@pytest.fixture
def dead(
    store: Store, database_url: str, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> list[Message]:
    """Return messages that have become dead letters."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    with store.database.transaction() as cursor:
        cursor.executemany(
            "INSERT INTO delivery_attempts (queue, message_id, attempts, last_at)"
            " VALUES (%s, %s, 2, %s)",
            [(one.queue, one.delivery_key, NOW) for one in MESSAGES.values() if one.redelivered],
        )
    with Functions(database_url, broker_url, rules={"device": buggy}) as functions:
        settled = functions.handle(*MESSAGES.values())
    assert settled.keys() == {"dead_lettered", "invalid"}
    return list(MESSAGES.values())


def printed_steps() -> list[list[str]]:
    """Return the commands that the timeline of the device prints."""
    found = run("timeline", "device", "d1", "--at", NOW.isoformat(), "--json")
    assert found.exit_code == 0, found.output
    entries = json.loads(found.stdout)["entries"]
    return [shlex.split(one["nextStep"]) for one in entries if one["nextStep"]]


def test_every_dead_letter_of_the_timeline_is_shown_and_replayed_by_its_printed_id(
    dead: list[Message], dead_letters: DeadLetters
) -> None:
    steps = printed_steps()

    assert len(steps) == len(dead)
    bodies = []
    for program, group, *show in steps:
        assert (program, group) == ("scheduler-ops", "dead-letters")
        (letter,) = dead_letters.json(*show)["letters"]
        bodies.append(encoded(letter["body"]))
        assert dead_letters.json("replay", *show[1:])["replayed"] == 1
    assert sorted(bodies) == sorted(one.body for one in dead)
    assert dead_letters.json("list")["total"] == 0


def test_message_that_was_applied_since_needs_no_next_step(
    dead: list[Message], database_url: str
) -> None:
    with Functions(database_url) as functions:
        functions.handle(dead[0])

    assert len(printed_steps()) == len(dead) - 1


def entries_of(*command: str) -> Any:  # noqa: ANN401 - any JSON
    found = run(*command, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def now_of_device() -> list[dict[str, Any]]:
    """Return what operators did now, far from the time of the failures."""
    done: list[dict[str, Any]] = entries_of("timeline", "device", "d1")["entries"]
    return done


@pytest.mark.parametrize(
    ("command", "action", "step"),
    [
        (("discard", "--id", "m-1", "--yes"), "discarded", ""),
        (
            ("replay", "--id", "m-1", "--yes"),
            "replayed",
            "it is in its queue again; scheduler-ops watch shows it",
        ),
    ],
    ids=["discard", "replay"],
)
def test_letter_that_an_operator_put_right_has_no_command_for_letters(
    dead: list[Message],
    dead_letters: DeadLetters,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    action: str,
    step: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    dead_letters.json(*command)

    assert len(printed_steps()) == len(dead) - 1
    (entry,) = now_of_device()
    assert (entry["outcome"], entry["message"]["id"]) == (action, "m-1")
    assert entry["causedBy"] == f"login:{getpass.getuser()}"
    assert entry["nextStep"] == step
    followed = entries_of("show", "message", "m-1")["received"]
    assert [one["outcome"] for one in followed] == ["dead_lettered", action]
    assert [one["nextStep"] for one in followed] == ["", step]
    shown = run("show", "message", "m-1").stdout
    assert f"by login:{getpass.getuser()}" in shown


def test_edited_letter_names_its_new_message_until_that_is_received(
    dead: list[Message],
    dead_letters: DeadLetters,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "new.json").write_bytes(encoded({"deviceId": "d2", "reason": "It is dark"}))
    monkeypatch.setenv("EDITOR", f"cp {tmp_path}/new.json")

    new_id = dead_letters.json("edit", "m-1", "--yes")["newId"]

    (entry,) = now_of_device()
    assert (entry["outcome"], entry["detail"]) == ("edited", f"as {new_id}")
    assert entry["nextStep"] == f"scheduler-ops show message {new_id}"
    assert len(printed_steps()) == len(dead) - 1
    with Functions(database_url) as functions:
        functions.handle(message("device.failed", id=new_id, deviceId="d2"))
    assert now_of_device()[0]["nextStep"] == ""
    of_new = entries_of("show", "message", new_id)["received"]
    assert {one["outcome"]: one["message"]["id"] for one in of_new}["edited"] == "m-1"


def test_letter_that_fails_again_after_its_replay_is_shown_again(
    dead: list[Message], dead_letters: DeadLetters, database_url: str, broker_url: str
) -> None:
    dead_letters.json("replay", "--id", "m-1", "--yes")

    later = datetime.now(UTC) + timedelta(minutes=1)
    with Functions(
        database_url, broker_url, rules={"device": buggy}, clock=lambda: later
    ) as functions:
        functions.handle(dead[0])

    again = entries_of("show", "message", "m-1")["received"]
    assert [one["outcome"] for one in again] == ["replayed", "dead_lettered"]
    assert [one["nextStep"] for one in again] == ["", "scheduler-ops dead-letters show --id m-1"]


def test_replay_without_a_database_says_that_no_timeline_shows_it(
    dead: list[Message], dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dead
    monkeypatch.setenv("DATABASE_URL", "mysql://127.0.0.1:1/x")

    result = dead_letters.run("replay", "--id", "m-1", "--yes")

    assert (result.exit_code, result.stdout) == (0, "Replayed 1 of 15 dead letters.\n")
    assert "note: timelines do not show this: cannot reach the database" in result.stderr


def test_what_was_done_to_letters_of_a_deleted_user_is_not_noted(
    store: Store, dead_letters: DeadLetters, broker_url: str, database_url: str, tmp_path: Path
) -> None:
    store.run("INSERT INTO erasures (user_id, requested_at) VALUES ('u1', NOW(6))")
    broker = Broker(broker_url)
    broker.publish(*(letter("user.suspended", id=f"m-{n}", userId=f"u{n}") for n in (1, 2)))

    dead_letters.json(
        *("discard", "--yes", "--backup", str(tmp_path / "copies")),
        *("--database-url", database_url),
    )

    assert store.rows("SELECT message_id, subject_id FROM letter_actions") == [("m-2", "u2")]


def test_letter_is_found_by_the_id_that_its_publisher_gave(
    dead: list[Message], dead_letters: DeadLetters
) -> None:
    given = [one.properties.get("message_id") for one in dead] + [f"e-{n}" for n in (1, 3, 4, 5)]
    given.append("e 2")

    for id_ in filter(None, given):
        assert len(dead_letters.json("show", "--id", id_)["letters"]) == 1, id_
