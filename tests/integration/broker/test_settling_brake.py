"""A held message waits on the broker until an operator has decided."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from device_events.rules import events
from scheduler.database.connection import Database
from scheduler.domain.brake import BrakeLimits
from scheduler.messaging.publisher import Publisher
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings
from tests.integration.ops.running import run
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.broker.hops import Hops
    from tests.support.store import Store

FAILED = "device.failed"
CHANGED = "device.status_changed"


@pytest.fixture
def doubtful(store: Store, vhost_url: str) -> Iterator[Consumer]:
    """The function with a brake that lets two devices fail within a minute."""
    settings = ConsumerSettings.model_validate(
        {"DATABASE_URL": store.settings.database_url, "BROKER_URL": vhost_url}
    )
    database, publisher = Database(settings), Publisher(settings)
    limits = BrakeLimits(share=0.01, devices=2)
    with closing(database), closing(publisher):
        yield Consumer(events, settings, brake=limits, database=database, publisher=publisher)


def test_held_message_is_retried_until_the_brake_opens(
    hops: Hops, doubtful: Consumer, store: Store
) -> None:
    store.seed(world(*(held(f"d{n}") for n in range(5))))
    for n in range(4):
        hops.publish(FAILED, deviceId=f"d{n}", properties={"headers": {"x-attempt": 2}})
    hops.publish(CHANGED, deviceId="d4", oldStatus="running", newStatus="error")

    assert hops.deliver(doubtful, {FAILED: 4}) == {"success": 2, "retried": 2}
    for _ in range(5):
        assert hops.deliver(doubtful, {FAILED: 2, CHANGED: 1}) == {"retried": 3}
    assert hops.look(FAILED).headers["x-attempt"] == 2
    assert hops.look(CHANGED).headers["x-attempt"] == 0

    result = run("brake", "release", "--database-url", _url(store))
    assert result.exit_code == 0, result.output

    assert hops.deliver(doubtful, {FAILED: 2, CHANGED: 1}) == {"success": 3}
    assert store.rows("SELECT DISTINCT status FROM allocations") == [("RELEASED",)]
    assert hops.unsettled() == 0
    assert hops.dead_letters() == []


def test_batch_redelivered_after_a_crash_counts_nothing_twice(
    hops: Hops, doubtful: Consumer, store: Store
) -> None:
    """After a kill between commit and settling, releases are duplicates and the rest is held."""
    store.seed(world(*(held(f"d{n}") for n in range(3))))
    for n in range(3):
        hops.publish(FAILED, deviceId=f"d{n}", properties={"message_id": f"m{n}"})
    hops.deliver(doubtful, {FAILED: 3})
    for n in range(2):
        hops.publish(FAILED, deviceId=f"d{n}", properties={"message_id": f"m{n}"})

    assert hops.deliver(doubtful, {FAILED: 3}) == {"duplicate": 2, "retried": 1}

    assert store.rows("SELECT SUM(released) FROM mass_failure_seconds") == [(2,)]


def test_held_message_does_not_become_a_suspect(
    hops: Hops, doubtful: Consumer, store: Store
) -> None:
    store.seed(world(*(held(f"d{n}") for n in range(5))))
    for n in range(5):
        hops.publish(FAILED, deviceId=f"d{n}")
    hops.deliver(doubtful, {FAILED: 5})

    for _ in range(4):
        hops.look(FAILED)  # which the broker then delivers again
        assert hops.deliver(doubtful, {FAILED: 3}) == {"retried": 3}
        assert store.rows("SELECT message_id FROM delivery_attempts") == []


def _url(store: Store) -> str:
    return store.settings.database_url.get_secret_value()
