"""Events for other services: at least once and in order, with several publishers and failures."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pika
import pytest

from scheduler.database.connection import IDLE_SECONDS, Database
from scheduler.messaging.outbound import BrokerUnavailableError, OutboundMessage
from scheduler.messaging.publisher import Publisher
from scheduler.messaging.topology import EVENTS_EXCHANGE
from scheduler.outbox import outgoing_events
from scheduler.outbox.outgoing_events import BATCH_SIZE, OutgoingEvents
from scheduler.settings import BrokerSettings
from tests.integration.local.proxy import Proxy
from tests.support.functions import NOWHERE
from tests.support.queues import Queues
from tests.support.together import eventually, together
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from local.servers.rabbitmq import RabbitMQ
    from tests.integration.dispatch.outbox import Outbox
    from tests.support.store import Store

DEVICES = "abcd"
SUBSCRIBER = "billing.device-events"
UNPUBLISHED = "SELECT COUNT(*) FROM outgoing_events WHERE published_at IS NULL"


def publisher_to(url: str) -> Publisher:
    """Return a publisher like the dispatcher's."""
    return Publisher(BrokerSettings.model_validate({"BROKER_URL": url}), mandatory=False)


@pytest.fixture
def subscriber(broker_url: str) -> Iterator[str]:
    """A queue of another service, bound to the outgoing events."""
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        channel.queue_declare(SUBSCRIBER, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(SUBSCRIBER, EVENTS_EXCHANGE, "device.allocated")
        channel.queue_bind(SUBSCRIBER, EVENTS_EXCHANGE, "device.released")
        yield SUBSCRIBER
        channel.queue_delete(SUBSCRIBER)


@pytest.fixture
def publisher(broker_url: str) -> Iterator[Publisher]:
    with closing(publisher_to(broker_url)) as made:
        yield made


@pytest.fixture
def events(database: Database, publisher: Publisher) -> OutgoingEvents:
    return OutgoingEvents(database, publisher, lambda: NOW)


def publish_all(events: OutgoingEvents) -> int:
    total = 0
    while published := events.publish_next():
        total += published
    return total


def test_event_is_published_with_the_rows_id(
    events: OutgoingEvents, outbox: Outbox, store: Store, broker_url: str, subscriber: str
) -> None:
    outbox.add_events(("device.released", '{"deviceId": "d1", "reason": "设备"}'))

    assert publish_all(events) == 1

    (found,) = Queues(broker_url).take(subscriber)
    ((id_, published_at),) = store.rows("SELECT id, published_at FROM outgoing_events")
    assert found.routing_key == "device.released"
    assert found.body.decode() == '{"deviceId": "d1", "reason": "设备"}'
    properties = found.properties
    assert properties.message_id == str(id_)
    assert (properties.content_type, properties.type) == ("application/json", "device.released")
    assert (properties.timestamp, properties.delivery_mode) == (int(NOW.timestamp()), 2)
    assert published_at == NOW


def test_many_events_are_published_in_order(
    events: OutgoingEvents, outbox: Outbox, broker_url: str, subscriber: str
) -> None:
    outbox.add_events(*[("device.released", f'{{"n": {n}}}') for n in range(BATCH_SIZE + 50)])

    assert publish_all(events) == BATCH_SIZE + 50

    ids = [int(one.properties.message_id) for one in Queues(broker_url).take(subscriber)]
    assert ids == sorted(set(ids))
    assert len(ids) == BATCH_SIZE + 50


def test_events_are_published_in_the_order_of_their_ids_whichever_index_the_server_uses(
    events: OutgoingEvents, outbox: Outbox, store: Store, broker_url: str, subscriber: str
) -> None:
    store.run(
        "INSERT INTO outgoing_events (routing_key, body, created_at, published_at)"
        " SELECT 'device.released', '{}', NOW(6), NOW(6) FROM seq_1_to_2000"
    )
    outbox.add_events(*[(key, "{}") for key in ("device.released", "device.allocated") * 2])
    change = "ALTER TABLE outgoing_events DROP KEY unpublished, ADD KEY unpublished (published_at, "
    try:
        store.run(change + "routing_key)")
        publish_all(events)
    finally:
        store.run(change + "id)")

    found = [one.routing_key for one in Queues(broker_url).take(subscriber)]
    assert found == ["device.released", "device.allocated"] * 2


def test_event_without_a_bound_queue_is_published(
    events: OutgoingEvents, outbox: Outbox, store: Store
) -> None:
    outbox.add_events(("device.allocated", "{}"))

    assert publish_all(events) == 1
    assert store.rows(UNPUBLISHED) == [(0,)]


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


def test_without_broker_events_stay_unpublished(
    database: Database, outbox: Outbox, store: Store, events: OutgoingEvents
) -> None:
    outbox.add_events(("device.released", "{}"), ("device.allocated", "{}"))
    disconnected = OutgoingEvents(database, publisher_to(NOWHERE), lambda: NOW)

    with pytest.raises(BrokerUnavailableError):
        disconnected.publish_next()

    assert store.rows(UNPUBLISHED) == [(2,)]
    assert publish_all(events) == 2


def test_crash_between_publishing_and_marking_repeats_events(
    database: Database, publisher: Publisher, outbox: Outbox, broker_url: str, subscriber: str
) -> None:
    outbox.add_events(*[("device.released", f'{{"n": {n}}}') for n in range(3)])
    crashing = OutgoingEvents(database, _CrashingPublisher(publisher), lambda: NOW)

    with pytest.raises(_CrashError):
        crashing.publish_next()
    publish_all(OutgoingEvents(database, publisher, lambda: NOW))

    bodies = [one.body.decode() for one in Queues(broker_url).take(subscriber)]
    assert bodies == ['{"n": 0}', '{"n": 1}', '{"n": 2}'] * 2


def test_connection_that_was_lost_while_frozen_is_reopened(
    database: Database, outbox: Outbox, rabbitmq: RabbitMQ, broker_url: str, subscriber: str
) -> None:
    with (
        closing(Proxy(rabbitmq.ports.amqp)) as proxy,
        closing(publisher_to(proxy.before(broker_url))) as publisher,
    ):
        events = OutgoingEvents(database, publisher, lambda: NOW)
        outbox.add_events(("device.released", '{"n": 1}'))
        publish_all(events)
        proxy.cut()
        outbox.add_events(("device.released", '{"n": 2}'))
        publish_all(events)

    bodies = [one.body.decode() for one in Queues(broker_url).take(subscriber)]
    assert bodies == ['{"n": 1}', '{"n": 2}']


def test_events_rejected_by_a_full_queue_are_published_later(
    events: OutgoingEvents, outbox: Outbox, store: Store, broker_url: str
) -> None:
    outbox.add_events(("device.released", '{"n": 1}'), ("device.released", '{"n": 2}'))
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        full = {"x-max-length": 1, "x-overflow": "reject-publish"}
        channel.queue_declare(SUBSCRIBER, durable=True, arguments=full)
        channel.queue_bind(SUBSCRIBER, EVENTS_EXCHANGE, "device.released")

        with pytest.raises(BrokerUnavailableError, match="refused"):
            events.publish_next()
        assert store.rows(UNPUBLISHED) == [(2,)]

        channel.queue_delete(SUBSCRIBER)
    assert publish_all(events) == 2


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


class _CrashError(Exception):
    """Stands for the death of the process."""


class _CrashingPublisher(Publisher):
    """Publishes, and crashes before the events can be marked."""

    def __init__(self, inner: Publisher) -> None:
        self._inner = inner

    def publish(self, messages: Iterable[OutboundMessage]) -> None:
        self._inner.publish(messages)
        raise _CrashError
