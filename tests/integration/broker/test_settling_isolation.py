"""A failing message is found in O(log n) transactions; conflicts are retried."""

from __future__ import annotations

import math
import threading
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database.connection import connect
from scheduler.messaging.publisher import Publisher
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings
from tests.integration.broker import marked
from tests.integration.broker.marked import REFUSED
from tests.integration.broker.watched import WatchedDatabase
from tests.support.functions import NOWHERE
from tests.support.together import eventually
from tests.support.world import held, world

if TYPE_CHECKING:
    from tests.integration.broker.hops import Hops
    from tests.support.store import Store

FAILED = "device.failed"
UNLOCKED = "SELECT id FROM users WHERE id = 'u1' FOR UPDATE SKIP LOCKED"


def _settings(store: Store, broker: str = NOWHERE) -> ConsumerSettings:
    return ConsumerSettings.model_validate(
        {"DATABASE_URL": store.settings.database_url, "BROKER_URL": broker}
    )


@pytest.mark.parametrize("size", [1, 2, 16, 100])
@pytest.mark.parametrize("place", ["first", "last"])
def test_failing_statement_costs_two_transactions_per_bisection(
    hops: Hops, store: Store, vhost_url: str, size: int, place: str
) -> None:
    settings = _settings(store, vhost_url)
    bad = 0 if place == "first" else size - 1
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(size) if n != bad)))
    for number in range(size):
        hops.publish(FAILED, deviceId=f"{REFUSED}1" if number == bad else f"d{number}")
    database, publisher = WatchedDatabase(settings), Publisher(settings)
    with closing(database), closing(publisher):
        consumer = Consumer(marked.events, settings, database=database, publisher=publisher)
        totals = hops.deliver(consumer, {FAILED: size})

    assert Counter(totals) == Counter(retried=1, success=size - 1)
    note = 1
    assert database.begun <= 2 * math.ceil(math.log2(size)) + 1 + note
    assert store.rows("SELECT COUNT(*) FROM allocations WHERE status = 'RELEASED'") == [(size - 1,)]
    assert store.rows("SELECT COUNT(*) FROM notifications") == [(size - 1,)]


def test_lock_wait_timeout_is_retried(hops: Hops, store: Store) -> None:
    store.seed(world(held("d1")))
    hops.publish(FAILED, deviceId="d1")
    errors: list[Any] = []
    with closing(connect(store.settings)) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT id FROM users WHERE id = 'u1' FOR UPDATE")

        def failing(error: Exception) -> None:
            errors.append(error.args[0])
            holder.rollback()

        with closing(WatchedDatabase(_settings(store), failing, lock_seconds=1)) as database:
            consumer = Consumer(marked.events, _settings(store), database=database)
            assert hops.deliver(consumer, {FAILED: 1}) == {"success": 1}

    assert errors == [1205]
    assert store.rows("SELECT status FROM allocations") == [("RELEASED",)]


def test_deadlock_is_retried(hops: Hops, store: Store) -> None:
    """The other transaction locks a device, then its user; it has written more, so it survives."""
    store.seed(world(held("d1")))
    hops.publish(FAILED, deviceId="d1")
    errors: list[Any] = []
    totals: list[dict[str, int]] = []
    watched = WatchedDatabase(_settings(store), lambda error: errors.append(error.args[0]))
    with closing(connect(store.settings)) as other, closing(watched) as database:
        cursor = other.cursor()
        cursor.execute("SELECT id FROM devices WHERE id = 'd1' FOR UPDATE")
        cursor.execute(
            "INSERT INTO event_versions (aggregate, id, concern, occurred_at)"
            " SELECT 'user', seq, 'quota', '2026-01-01' FROM seq_1_to_1000"
        )
        consumer = Consumer(marked.events, _settings(store), database=database)
        thread = threading.Thread(target=lambda: totals.append(hops.deliver(consumer, {FAILED: 1})))
        thread.start()
        eventually(lambda: not store.rows(UNLOCKED), "the consumer holds the user")
        cursor.execute("SELECT id FROM users WHERE id = 'u1' FOR UPDATE")
        other.rollback()
        thread.join()

    assert errors == [1213]
    assert totals == [{"success": 1}]
    assert store.rows("SELECT status FROM allocations") == [("RELEASED",)]
