"""From a bug to the fix: dead letters of the real functions, replayed into the real functions."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

import pytest

from device_events.contracts import DeviceFailed
from local.event_source_mapping.record import record_json
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, VHOST
from scheduler.pipeline.rules import EventRules
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.domain.work import Work
    from tests.integration.ops.letters import Broker
    from tests.integration.ops.running import DeadLetters
    from tests.support.store import Store

FAILED = "scheduler.device-failed"
DEVICES = [f"d{number}" for number in range(12)]

buggy = EventRules()


@buggy.on(DeviceFailed)
def crash(event: DeviceFailed, _work: Work) -> NoReturn:
    raise LookupError(f"no rule for {event.device_id}")


@pytest.fixture
def store(store: Store) -> Store:
    """Return the database, in which every device is held."""
    store.seed(world(*(held(device, by=f"u-{device}") for device in DEVICES)))
    return store


@pytest.fixture
def fixed(store: Store, database_url: str, broker_url: str) -> Iterator[Functions]:
    """The functions as they are; the buggy ones have failed for the last time before."""
    failing = [message("device.failed", deviceId=one, headers={"x-attempt": 3}) for one in DEVICES]
    with Functions(database_url, broker_url, rules={"device": buggy}) as broken:
        assert broken.handle(*failing) == {"dead_lettered": len(DEVICES)}
    assert released(store) == 0
    with Functions(database_url, broker_url) as made:
        yield made


def work_off(functions: Functions, broker: Broker) -> Counter[str]:
    """Let the device function consume all that waits for it; return how it was settled."""
    records = [
        json.loads(record_json(found.properties, found.body, redelivered=False))
        for found in broker.take(FAILED)
    ]
    event = {"rmqMessagesByQueue": {f"{FAILED}::{VHOST}": records}}
    return Counter(functions.invoke("device", event))


def released(store: Store) -> int:
    return len(store.rows("SELECT id FROM allocations WHERE status = 'RELEASED'"))


def test_a_replay_after_the_fix_drains_to_nothing_and_has_every_effect_once(
    fixed: Functions, store: Store, broker: Broker, dead_letters: DeadLetters
) -> None:
    with fixed:
        assert dead_letters.json("replay")["replayed"] == len(DEVICES)
        assert work_off(fixed, broker) == {"success": len(DEVICES)}

    assert released(store) == len(DEVICES)
    assert dead_letters.json("list")["total"] == 0
    assert dead_letters.json("replay")["replayed"] == 0


def test_copies_of_a_killed_replay_are_recognised(
    fixed: Functions, store: Store, broker: Broker, dead_letters: DeadLetters, tmp_path: object
) -> None:
    with fixed:
        file = f"{tmp_path}/backup.jsonl"
        dead_letters.json("discard", "--yes", "--backup", file)
        for _ in range(2):
            assert dead_letters.json("replay", "--from-file", file)["replayed"] == len(DEVICES)
        assert work_off(fixed, broker) == {"success": len(DEVICES), "duplicate": len(DEVICES)}

    assert released(store) == len(DEVICES)


def test_a_replay_before_the_fix_comes_back_with_all_its_attempts_and_is_counted(
    fixed: Functions, broker: Broker, database_url: str, dead_letters: DeadLetters
) -> None:
    fixed.__exit__(None, None, None)
    dead_letters.json("replay", "--id", dead_letters.json("show")["letters"][0]["id"])

    with Functions(database_url, broker.url, rules={"device": buggy}) as broken:
        assert work_off(broken, broker) == {"retried": 1}

    (waiting,) = broker.take(f"{FAILED}.retry")
    assert (waiting.headers["x-attempt"], waiting.headers["x-replays"]) == (1, 1)
    assert broker.depth(DEAD_LETTER_QUEUE) == len(DEVICES) - 1
