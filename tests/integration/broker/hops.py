"""Drives a function batch by batch with messages of a real broker, as the mapping does."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pika

from events.bodies import SMALLEST
from local.event_source_mapping.record import record_json
from scheduler.messaging.topology import (
    DEAD_LETTER_QUEUE,
    EVENTS_EXCHANGE,
    VHOST,
    WORK_QUEUES,
    WorkQueue,
)
from tests.support.events import encoded
from tests.support.queues import ready

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pika import BasicProperties
    from pika.adapters.blocking_connection import BlockingChannel

    from scheduler.pipeline.consumer import Consumer

QUEUES: Final = {queue.event_type: queue for queue in WORK_QUEUES}
_DEADLINE_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivered message; its headers include those of the broker."""

    properties: BasicProperties
    body: bytes
    redelivered: bool = False

    @property
    def headers(self) -> dict[str, Any]:
        """Return the headers; never None."""
        return self.properties.headers or {}


@dataclass(frozen=True, slots=True)
class Batch:
    """Unacknowledged deliveries, by queue."""

    tags: list[int] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    by_queue: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def event(self) -> dict[str, Any]:
        """Return the event with which Lambda invokes the function."""
        return {"eventSource": "aws:rmq", "rmqMessagesByQueue": self.by_queue}


class Hops:
    """Publishes to a vhost, delivers batches to a consumer and reads queues."""

    def __init__(self, url: str) -> None:
        parameters = pika.URLParameters(url)
        parameters.heartbeat = 0
        self._connection = pika.BlockingConnection(parameters)
        self.channel: BlockingChannel = self._connection.channel()
        self.channel.confirm_delivery()
        self._numbers = count(1)

    def publish(
        self,
        event_type: str,
        *,
        body: bytes | None = None,
        properties: Mapping[str, Any] | None = None,
        **fields: object,
    ) -> str:
        """Publish an event as another service does, and return its message id."""
        given = {"message_id": f"m{next(self._numbers)}", **(properties or {})}
        raw = body if body is not None else encoded(SMALLEST[event_type] | fields)
        self.channel.basic_publish(
            EVENTS_EXCHANGE, event_type, raw, pika.BasicProperties(**given), mandatory=True
        )
        return str(given["message_id"])

    def deliver(
        self, consumer: Consumer, counts: Mapping[str, int], context: object = None
    ) -> dict[str, int]:
        """Invoke a consumer with some messages of each event type, in one event.

        As with the mapping, the batch is acknowledged if the consumer returns and requeued if it
        raises.
        """
        batch = self._take(counts)
        try:
            totals = consumer.handle(batch.event, context)
        except BaseException:
            self._give_back(batch)
            raise
        for tag in batch.tags:
            self.channel.basic_ack(tag)
        return totals

    def look(self, event_type: str) -> Delivery:
        """Wait for the next message of a work queue, return it and requeue it."""
        batch = self._take({event_type: 1})
        self._give_back(batch)
        return batch.deliveries[0]

    def depth(self, queue: str) -> int:
        """Return how many messages are ready in a queue."""
        return ready(self.channel, queue)

    def dead_letters(self) -> list[Delivery]:
        """Remove and return the dead letters."""
        letters: list[Delivery] = []
        while True:
            method, properties, body = self.channel.basic_get(DEAD_LETTER_QUEUE, auto_ack=True)
            if method is None:
                return letters
            # The queue counts this delivery too.
            (properties.headers or {}).pop("x-delivery-count", None)
            letters.append(Delivery(properties, body))

    def unsettled(self) -> int:
        """Return how many messages wait in work and retry queues."""
        return sum(self.depth(q.name) + self.depth(q.retry_name) for q in WORK_QUEUES)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _take(self, counts: Mapping[str, int]) -> Batch:
        batch = Batch()
        for event_type, wanted in counts.items():
            queue = QUEUES[event_type]
            records = batch.by_queue.setdefault(f"{queue.name}::{VHOST}", [])
            for _ in range(wanted):
                tag, delivery = self._next(queue)
                batch.tags.append(tag)
                batch.deliveries.append(delivery)
                records.append(_record(delivery))
        return batch

    def _give_back(self, batch: Batch) -> None:
        for tag in reversed(batch.tags):
            self.channel.basic_nack(tag, requeue=True)

    def _next(self, queue: WorkQueue) -> tuple[int, Delivery]:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            method, properties, body = self.channel.basic_get(queue.name)
            if method is not None:
                return method.delivery_tag, Delivery(properties, body, method.redelivered)
            assert time.monotonic() < deadline, f"nothing came to {queue.name}"
            time.sleep(_POLL_SECONDS)


def _record(delivery: Delivery) -> Any:  # noqa: ANN401 - JSON
    raw = record_json(delivery.properties, delivery.body, redelivered=delivery.redelivered)
    return json.loads(raw)
