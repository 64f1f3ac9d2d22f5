"""Dead letters of functions with a bug, replayed into the fixed functions."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

import pytest

from device_events.contracts import DeviceFailed
from local.event_source_mapping.record import record_json
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, VHOST
from scheduler.pipeline.event_rules import EventRules
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
def store(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the database, in which every device is allocated; the command line uses it as well."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    store.seed(world(*(held(device, by=f"u-{device}") for device in DEVICES)))
    return store


@pytest.fixture
def fixed(store: Store, database_url: str, broker_url: str) -> Iterator[Functions]:
    """Return the real functions, after functions with a bug have dead-lettered all messages."""
    failing = [message("device.failed", deviceId=one, headers={"x-attempt": 3}) for one in DEVICES]
    with Functions(database_url, broker_url, rules={"device": buggy}) as broken:
        assert broken.handle(*failing) == {"dead_lettered": len(DEVICES)}
    assert released(store) == 0
    with Functions(database_url, broker_url) as made:
        yield made


def consume_all(functions: Functions, broker: Broker) -> Counter[str]:
    """Invoke the device function with all waiting messages; return their outcomes."""
    records = [
        json.loads(record_json(found.properties, found.body, redelivered=False))
        for found in broker.take(FAILED)
    ]
    event = {"rmqMessagesByQueue": {f"{FAILED}::{VHOST}": records}}
    return Counter(functions.invoke("device", event))


def released(store: Store) -> int:
    return len(store.rows("SELECT id FROM allocations WHERE status = 'RELEASED'"))


def test_replay_after_the_fix_has_every_effect_once(
    fixed: Functions, store: Store, broker: Broker, dead_letters: DeadLetters
) -> None:
    with fixed:
        assert dead_letters.json("replay")["replayed"] == len(DEVICES)
        assert consume_all(fixed, broker) == {"success": len(DEVICES)}

    assert released(store) == len(DEVICES)
    assert dead_letters.json("list")["total"] == 0
    assert dead_letters.json("replay")["replayed"] == 0


def test_second_copy_of_a_letter_is_a_duplicate(
    fixed: Functions, store: Store, broker: Broker, dead_letters: DeadLetters, tmp_path: object
) -> None:
    with fixed:
        file = f"{tmp_path}/backup.jsonl"
        dead_letters.json("discard", "--yes", "--backup", file)
        for _ in range(2):
            assert dead_letters.json("replay", "--from-file", file)["replayed"] == len(DEVICES)
        assert consume_all(fixed, broker) == {"success": len(DEVICES), "duplicate": len(DEVICES)}

    assert released(store) == len(DEVICES)


def test_replay_before_the_fix_is_retried_and_counted(
    fixed: Functions, broker: Broker, database_url: str, dead_letters: DeadLetters
) -> None:
    fixed.__exit__(None, None, None)
    dead_letters.json("replay", "--id", dead_letters.json("show")["letters"][0]["id"])

    with Functions(database_url, broker.url, rules={"device": buggy}) as broken:
        assert consume_all(broken, broker) == {"retried": 1}

    (waiting,) = broker.take(f"{FAILED}.retry")
    assert (waiting.headers["x-attempt"], waiting.headers["x-replays"]) == (1, 1)
    assert broker.depth(DEAD_LETTER_QUEUE) == len(DEVICES) - 1
