"""Several publishers of events for other services: one at a time, in the order of each device."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database.connection import IDLE_SECONDS, Database
from scheduler.messaging.outbound import BrokerUnavailableError
from scheduler.outbox import outgoing_events
from scheduler.outbox.outgoing_events import OutgoingEvents
from tests.integration.dispatch.subscribing import UNPUBLISHED, publish_all, publisher_to
from tests.support.functions import NOWHERE
from tests.support.queues import Queues
from tests.support.together import eventually, together
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.integration.dispatch.outbox import Outbox
    from tests.support.store import Store

DEVICES = "abcd"


def test_only_one_publisher_works_at_a_time(
    events: OutgoingEvents, outbox: Outbox, store: Store
) -> None:
    outbox.add_events(("device.released", "{}"))

    with (
        closing(Database(store.settings)) as other,
        OutgoingEvents(other, publisher_to(NOWHERE), lambda: NOW)._publisher_lock() as locked,
    ):
        assert locked
        assert events.publish_next() == 0

    assert events.publish_next() == 1


def test_publisher_that_vanished_without_closing_its_connection_loses_its_lock(
    events: OutgoingEvents, outbox: Outbox, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing_events, "LOCK_IDLE_SECONDS", 1)
    outbox.add_events(("device.released", "{}"))

    with closing(Database(store.settings)) as vanished:
        holding = OutgoingEvents(vanished, publisher_to(NOWHERE), lambda: NOW)._publisher_lock()
        assert holding.__enter__()
        eventually(lambda: events.publish_next() == 1, "the server releases the lock")


def test_connection_may_be_idle_again_after_publishing(
    events: OutgoingEvents, outbox: Outbox, database: Database
) -> None:
    outbox.add_events(("device.released", "{}"))
    publish_all(events)

    with database.transaction() as cursor:
        cursor.execute("SELECT @@wait_timeout")
        assert cursor.fetchall() == ((IDLE_SECONDS,),)


def test_whoever_has_published_leaves_the_next_events_to_any_publisher(
    events: OutgoingEvents, outbox: Outbox, store: Store, broker_url: str
) -> None:
    """The first publisher keeps its connection, as a warm environment does."""
    outbox.add_events(("device.released", "{}"))
    assert events.publish_next() == 1
    outbox.add_events(("device.released", "{}"))

    with closing(Database(store.settings)) as other, closing(publisher_to(broker_url)) as publisher:
        assert OutgoingEvents(other, publisher, lambda: NOW).publish_next() == 1


def test_a_publisher_whose_broker_is_away_leaves_the_events_to_the_others(
    events: OutgoingEvents, outbox: Outbox, store: Store
) -> None:
    outbox.add_events(("device.released", "{}"))

    with closing(Database(store.settings)) as other:
        with pytest.raises(BrokerUnavailableError):
            OutgoingEvents(other, publisher_to(NOWHERE), lambda: NOW).publish_next()
        assert events.publish_next() == 1


def test_while_another_process_publishes_one_event_is_read_and_not_a_batch(
    events: OutgoingEvents, database: Database, outbox: Outbox, store: Store
) -> None:
    outbox.add_events(*[("device.released", "{}")] * 20)

    with (
        closing(Database(store.settings)) as other,
        OutgoingEvents(other, publisher_to(NOWHERE), lambda: NOW)._publisher_lock(),
    ):
        before = rows_sent(database)
        assert events.publish_next() == 0

        # Besides the answer to the attempt to lock; the server does not count that of SHOW.
        assert rows_sent(database) - before - 1 == 1


def rows_sent(database: Database) -> int:
    with database.transaction() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Rows_sent'")
        ((_, value),) = cursor.fetchall()
    return int(value)


def test_concurrent_dispatchers_keep_the_order_of_each_device(
    store: Store, outbox: Outbox, broker_url: str, subscriber: str
) -> None:
    """Publishers run while transactions write; each device has one writer, as its lock ensures."""
    rounds = 40

    def publish() -> None:
        with (
            closing(Database(store.settings)) as database,
            closing(publisher_to(broker_url)) as publisher,
        ):
            events = OutgoingEvents(database, publisher, lambda: NOW)
            while _count_events(database) < len(DEVICES) * rounds:
                events.publish_next()
            publish_all(events)

    def write(device: str) -> None:
        for n in range(rounds):
            outbox.add_events(("device.released", f'{{"device": "{device}", "n": {n}}}'))

    writers = [lambda device=device: write(device) for device in DEVICES]
    together(publish, publish, *writers)
    with (
        closing(Database(store.settings)) as database,
        closing(publisher_to(broker_url)) as last,
    ):
        publish_all(OutgoingEvents(database, last, lambda: NOW))

    assert store.rows(UNPUBLISHED) == [(0,)]
    for device, numbers in _by_device(Queues(broker_url).take(subscriber)).items():
        assert numbers == list(range(rounds)), device


def _count_events(database: Database) -> int:
    with database.transaction() as cursor:
        return cursor.execute("SELECT 1 FROM outgoing_events")


def _by_device(found: Sequence[Any]) -> dict[str, list[int]]:
    """Return the numbers of each device, in the order of their first copies."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for one in found:
        body = json.loads(one.body)
        if body["n"] not in numbers[body["device"]]:
            numbers[body["device"]].append(body["n"])
    return numbers
