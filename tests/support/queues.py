"""The queues of a real broker as a test sees them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pika

from scheduler.messaging.topology import DEAD_LETTER_QUEUE

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel


class Found(NamedTuple):
    """A message that was taken from a queue."""

    body: bytes
    properties: Any
    routing_key: str

    @property
    def headers(self) -> dict[str, Any]:
        """Return its headers without what the broker itself adds; never None."""
        headers = self.properties.headers or {}
        return {name: value for name, value in headers.items() if name != "x-delivery-count"}


class Queues:
    """Takes messages out of queues; opens a connection for each question."""

    def __init__(self, url: str) -> None:
        self._parameters = pika.URLParameters(url)

    def take(self, queue: str = DEAD_LETTER_QUEUE) -> list[Found]:
        """Remove and return what lies in a queue, in its order.

        What the broker has confirmed lies there: no waiting is needed.
        """
        with closing(pika.BlockingConnection(self._parameters)) as connection:
            return _all(connection.channel(), queue)

    def depth(self, queue: str) -> int:
        """Return how many messages are ready in a queue."""
        with closing(pika.BlockingConnection(self._parameters)) as connection:
            declared = connection.channel().queue_declare(queue, passive=True)
            count: int = declared.method.message_count
            return count


def _all(channel: BlockingChannel, queue: str) -> list[Found]:
    found: list[Found] = []
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return found
        found.append(Found(body, properties, method.routing_key))
