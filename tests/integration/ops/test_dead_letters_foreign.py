"""Letters that come from no work queue: others have published or dead-lettered them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import run
from tests.support.events import encoded
from tests.support.world import held, world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.ops.running import DeadLetters
    from tests.support.store import Store

FAILED = "scheduler.device-failed"
THEIRS = "their.queue"
KEY = "scheduler.x.failed"


def foreign(
    id_: str, *, key: str = KEY, exchange: str = DEAD_LETTER_EXCHANGE, **headers: str
) -> OutboundMessage:
    """Return a letter that no function has published."""
    body = encoded({"deviceId": "d1", "reason": "It is dark"})
    return OutboundMessage(exchange, key, body, {"message_id": id_, "headers": headers})


def direct(id_: str) -> OutboundMessage:
    """Return a message that was published to the dead-letter queue itself."""
    return foreign(id_, key=DEAD_LETTER_QUEUE, exchange="")


@pytest.mark.parametrize(
    ("made", "queue"),
    [
        (foreign("m-1", **{"x-source-queue": THEIRS}), THEIRS),
        (foreign("m-1", **{"x-source-queue": "device.faild"}), "device.faild"),
        (foreign("m-1", **{"x-source-queue": "=1+1"}), "=1+1"),
        (foreign("m-1"), KEY),
        (direct("m-1"), DEAD_LETTER_QUEUE),
    ],
    ids=["theirs", "similar", "odd", "key", "direct"],
)
def test_foreign_letters_are_listed_and_discarded_by_their_queue(
    broker: Broker, dead_letters: DeadLetters, tmp_path: Path, made: OutboundMessage, queue: str
) -> None:
    broker.publish(made, letter(id="m-2"))

    groups = {one["queue"]: one["hasWorkQueue"] for one in dead_letters.json("list")["groups"]}
    told = dead_letters.run("list").stdout
    by_name = ("--queue", queue)
    refused = dead_letters.run("replay", *by_name)
    done = dead_letters.run("discard", *by_name, "--yes", "--backup", str(tmp_path / "copies"))

    assert groups == {queue: False, FAILED: True}
    assert "belong to no work queue" in " ".join(told.split())
    assert (refused.exit_code, "are replayed with --to EVENT" in refused.stderr) == (2, True)
    assert done.stdout.startswith("Discarded 1 of 2"), done.output
    assert broker.ids(DEAD_LETTER_QUEUE) == ["m-2"]


@pytest.mark.parametrize("name", ["device.failed", "scheduler.device-failed.2"])
def test_names_of_an_event_or_a_shard_are_known_queues(
    broker: Broker, dead_letters: DeadLetters, name: str
) -> None:
    broker.publish(foreign("m-1", **{"x-source-queue": name}))

    assert [one["queue"] for one in dead_letters.json("list")["groups"]] == [FAILED]
    assert dead_letters.json("replay")["replayed"] == 1
    assert broker.ids(FAILED) == ["m-1"]


def test_misspelt_queue_is_refused_before_letters_of_others_are_replayed(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    broker.publish(letter(id="m-1"), direct("m-2"))

    refused = dead_letters.run("replay", "--queue", "device.failed", "--queue", "device.deletd")
    reported = dead_letters.run("replay")

    assert (refused.exit_code, "did you mean device.deleted?" in refused.stderr) == (2, True)
    assert (reported.exit_code, "(name its event with --to" in reported.stderr) == (1, True)
    assert broker.ids(FAILED) == ["m-1"]  # of the second command


def test_foreign_letters_are_replayed_to_the_named_queue(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    theirs = foreign("m-1", **{"x-source-queue": THEIRS, "x-error": "a bug", "custom": "kept"})
    broker.publish(theirs, direct("m-2"), letter("user.suspended", id="m-3"))

    wrong = dead_letters.run("replay", "--to", "device.faild")
    tried = dead_letters.run("replay", "--to", "device.failed", "--dry-run")
    done = dead_letters.json("replay", "--to", "device.failed")

    assert (wrong.exit_code, "did you mean device.failed?" in wrong.stderr) == (2, True)
    assert "Would replay 3 of 3" in tried.stdout
    assert (done["replayed"], done["refused"]) == (3, [])
    replayed = broker.take(FAILED)
    assert [one.properties.message_id for one in replayed] == ["m-1", "m-2"]
    assert replayed[0].headers["custom"] == "kept"
    assert "x-source-queue" not in replayed[0].headers
    assert broker.ids("scheduler.user-suspended") == ["m-3"]  # its own queue is known


def test_copies_of_foreign_letters_are_replayed_to_the_named_queue(
    broker: Broker, dead_letters: DeadLetters, tmp_path: Path
) -> None:
    file = str(tmp_path / "copies.jsonl")
    broker.publish(direct("m-1"))
    dead_letters.run("discard", "--yes", "--backup", file)

    kept = dead_letters.run("replay", "--from-file", file)
    done = dead_letters.run("replay", "--from-file", file, "--to", FAILED)

    assert (kept.exit_code, done.exit_code) == (1, 0)
    assert broker.ids(FAILED) == ["m-1"]


def test_old_foreign_letter_takes_no_device_without_a_question(
    broker: Broker, store: Store, database_url: str
) -> None:
    now = datetime.now(UTC)
    store.seed(world(held("d1", since=now)))
    old = (now - timedelta(days=2)).isoformat()
    body = encoded({"deviceId": "d1", "reason": "It is dark", "timestamp": old})
    broker.publish(replace(direct("m-1"), body=body))

    asked = run(
        *("dead-letters", "replay", "--to", "device.failed", "--queue", DEAD_LETTER_QUEUE),
        *("--broker-url", broker.url, "--database-url", database_url),
    )

    assert "would take devices from users" in asked.stderr
    assert broker.ids(DEAD_LETTER_QUEUE) == ["m-1"]
