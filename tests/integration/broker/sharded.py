"""A vhost in which each event has several queues."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pika
from pika import BasicProperties

from events.bodies import SMALLEST
from scheduler.messaging.declaration import declare
from scheduler.messaging.topology import EVENTS_EXCHANGE, SHARD_KEY_HEADER, WorkQueue
from scheduler.settings import MAX_SHARDS
from tests.support.events import encoded

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel

RETRY_DELAY_MS: Final = 100


class Broker:
    """A connection to a vhost. Not thread-safe."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self._confirming()

    def close(self) -> None:
        self._connection.close()

    def declare(self, shards: int) -> None:
        """Declare the topology as provisioning does, with a shorter retry delay."""
        declare(self.channel, RETRY_DELAY_MS, shards)

    def publish(
        self,
        event_type: str,
        id: str,  # noqa: A002 - the clearest name at the call
        key: str | None = None,
        **fields: object,
    ) -> None:
        """Publish an event; raises if it is not routed to a queue."""
        headers: dict[str, Any] | None = None if key is None else {SHARD_KEY_HEADER: key}
        self.channel.basic_publish(
            EVENTS_EXCHANGE,
            event_type,
            encoded(SMALLEST[event_type] | fields),
            BasicProperties(message_id=id, headers=headers, delivery_mode=2),
            mandatory=True,
        )

    def take(self, event_type: str) -> list[list[str]]:
        """Remove all messages of an event, and return their ids by queue."""
        names = (WorkQueue(event_type, number).name for number in range(MAX_SHARDS))
        return [self._ids(name) if exists(self.url, name) else [] for name in names]

    def _ids(self, queue: str) -> list[str]:
        found: list[str] = []
        while True:
            method, properties, _ = self.channel.basic_get(queue, auto_ack=True)
            if method is None:
                return found
            found.append(properties.message_id)

    def _confirming(self) -> BlockingChannel:
        channel = self._connection.channel()
        channel.confirm_delivery()
        return channel


def each_once(shards: list[list[str]]) -> bool:
    """Return whether no message is in two queues, or twice in one."""
    return set(Counter(id_ for shard in shards for id_ in shard).values()) <= {1}


def exists(url: str, queue: str) -> bool:
    """Return whether a queue exists."""
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        try:
            connection.channel().queue_declare(queue, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            return False
        return True
