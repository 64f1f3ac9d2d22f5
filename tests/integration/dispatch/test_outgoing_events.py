"""Events for other services: at least once and in order, whatever fails."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pika
import pytest

from scheduler.messaging.outbound import BrokerUnavailableError, OutboundMessage
from scheduler.messaging.publisher import Publisher
from scheduler.messaging.topology import EVENTS_EXCHANGE
from scheduler.outbox.outgoing_events import BATCH_SIZE, OutgoingEvents
from tests.integration.dispatch.subscribing import (
    SUBSCRIBER,
    UNPUBLISHED,
    publish_all,
    publisher_to,
)
from tests.integration.local.proxy import Proxy
from tests.support.functions import NOWHERE
from tests.support.queues import Queues
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.servers.rabbitmq import RabbitMQ
    from scheduler.database.connection import Database
    from tests.integration.dispatch.outbox import Outbox
    from tests.support.store import Store


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


@pytest.mark.parametrize(
    ("correlation_id", "traceparent", "headers"),
    [
        ("c-1", None, {}),
        (None, f"00-{'a' * 32}-{'b' * 16}-01", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}),
    ],
)
def test_event_has_the_trace_of_what_caused_it_and_nothing_if_there_is_none(
    events: OutgoingEvents,
    store: Store,
    broker_url: str,
    subscriber: str,
    correlation_id: str | None,
    traceparent: str | None,
    headers: dict[str, str],
) -> None:
    columns = "routing_key, body, created_at, correlation_id, traceparent"
    row = ("device.released", "{}", NOW, correlation_id, traceparent)
    store.insert("outgoing_events", columns, [row])

    publish_all(events)

    (found,) = Queues(broker_url).take(subscriber)
    given = {name: value for name, value in found.properties.headers.items() if name[:2] != "x-"}
    assert (found.properties.correlation_id, given) == (correlation_id, headers)


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


class _CrashError(Exception):
    """Stands for the death of the process."""


class _CrashingPublisher(Publisher):
    """Publishes, and crashes before the events can be marked."""

    def __init__(self, inner: Publisher) -> None:
        self._inner = inner

    def publish(self, messages: Iterable[OutboundMessage]) -> None:
        self._inner.publish(messages)
        raise _CrashError
