"""The broker of a drill: publishes until confirmed, reads queues and replays dead letters."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from scheduler.messaging.declaration import declare
from scheduler.messaging.message import (
    IDENTITY_HEADER,
    RECEIVED_HEADER,
    UNCLAIMED_BATCH_HEADER,
)
from scheduler.messaging.topology import (
    DEAD_LETTER_QUEUE,
    EVENTS_EXCHANGE,
    SHARD_KEY_HEADER,
    work_queues,
)
from tests.faults.records import event_key
from tests.support.queues import consumers, ready

if TYPE_CHECKING:
    from pika import BasicProperties
    from pika.adapters.blocking_connection import BlockingChannel

    from tests.faults.workload import DrillMessage

_KEPT_HEADERS: Final = (RECEIVED_HEADER, IDENTITY_HEADER, UNCLAIMED_BATCH_HEADER)
_RETRY_SECONDS: Final = 0.2
_UNAVAILABLE: Final = (AMQPError, AMQPConnectorException, OSError)
BY_THE_BROKER: Final = "dead-lettered by the broker"


class DrillBroker:
    """A connection that is reopened after an outage of the broker."""

    def __init__(self, url: str, shards: int = 1) -> None:
        self._shards = shards
        self._consumed = [
            name for queue in work_queues(shards) for name in (queue.name, queue.retry_name)
        ]
        self._parameters = pika.URLParameters(url)
        self._parameters.heartbeat = 0
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self.sent = 0
        self.confirmed: Counter[str] = Counter()
        self.ambiguous: dict[str, int] = {}
        """How often a message without an id was sent because no confirm came, by its key."""

    def declare(self, retry_delay_ms: int) -> None:
        """Declare the topology with a retry delay."""
        declare(self._open(), retry_delay_ms, self._shards)

    def publish(self, message: DrillMessage) -> None:
        """Publish until a copy is confirmed, as a producer must."""
        properties = pika.BasicProperties(
            content_type="application/json",
            correlation_id=f"{message.key}.{message.subject}",
            headers={SHARD_KEY_HEADER: message.shard_key} if message.shard_key else None,
            message_id=message.message_id,
            delivery_mode=2,
        )
        attempts = 0
        while True:
            self.sent += 1
            attempts += 1
            if attempts > 1 and not message.identified:
                self.ambiguous[message.key] = attempts
            try:
                self._open().basic_publish(
                    EVENTS_EXCHANGE, message.event_type, message.body, properties, mandatory=True
                )
            except _UNAVAILABLE:
                self.close()
                time.sleep(_RETRY_SECONDS)
            else:
                self.confirmed[message.key] += 1
                return

    def waiting(self) -> int | None:
        """Return the number of messages in work and retry queues; None during an outage."""
        try:
            return sum(ready(self._open(), queue) for queue in self._consumed)
        except _UNAVAILABLE:
            self.close()
            return None

    def is_consumed(self) -> bool:
        """Return whether a queue still has a consumer, which may hold unacknowledged messages."""
        return any(consumers(self._open(), queue) for queue in self._consumed)

    def dead_letters(self) -> dict[str, str]:
        """Return the error of each dead letter by event key, and leave them in their queue."""
        self.close()
        letters = {
            _key(properties): str((properties.headers or {}).get("x-error", BY_THE_BROKER))
            for _, properties, _ in self._letters()
        }
        self.close()
        return letters

    def replay(self, keys: frozenset[str]) -> None:
        """Return the dead letters of these events to their queues, as operators do."""
        self.close()
        for tag, properties, body in self._letters():
            if _key(properties) in keys:
                queue = _source(properties)
                headers = properties.headers or {}
                kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
                properties.headers = kept
                self._open().basic_publish("", queue, body, properties, mandatory=True)
                self._open().basic_ack(tag)
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with contextlib.suppress(*_UNAVAILABLE):
                self._connection.close()
        self._connection = self._channel = None

    def _letters(self) -> list[tuple[int, BasicProperties, bytes]]:
        """Read all dead letters; those not acknowledged are requeued when the connection closes."""
        letters: list[tuple[int, BasicProperties, bytes]] = []
        while True:
            method, properties, body = self._open().basic_get(DEAD_LETTER_QUEUE)
            if method is None:
                return letters
            letters.append((method.delivery_tag, properties, body))

    def _open(self) -> BlockingChannel:
        if self._channel is None:
            self._connection = pika.BlockingConnection(self._parameters)
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        return self._channel


def _key(properties: BasicProperties) -> str:
    return event_key(str(properties.correlation_id))


def _source(properties: BasicProperties) -> str:
    headers = properties.headers or {}
    return str(headers.get("x-source-queue") or headers["x-first-kill-queue"])
