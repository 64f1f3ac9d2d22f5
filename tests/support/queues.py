"""The queues of a real broker as a test sees them."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pika

from scheduler.messaging.topology import DEAD_LETTER_QUEUE

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel


_ASKED_AT_MOST: Final = 4
_NAMES_SAVED_SECONDS: Final = 2.0


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
            return ready(connection.channel(), queue)


def ready(channel: BlockingChannel, queue: str) -> int:
    """Return how many messages are ready in a queue."""
    return _stat(channel, queue)[0]


def consumers(channel: BlockingChannel, queue: str) -> int:
    """Return how many consumers a queue has."""
    return _stat(channel, queue)[1]


def _stat(channel: BlockingChannel, queue: str) -> tuple[int, int]:
    # Of a quorum queue that is silent for 250 ms, RabbitMQ says that it has nothing
    # (rabbit_quorum_queue.erl: stat/2): on a busy machine "nothing" has to be said repeatedly.
    for _ in range(_ASKED_AT_MOST):
        found = channel.queue_declare(queue, passive=True).method
        if found.message_count or found.consumer_count:
            break
    return found.message_count, found.consumer_count


def await_saved_names() -> None:
    """Return when a broker that is killed now would still know the queues it has just got.

    RabbitMQ 3.10 writes the names of new quorum queues to disk once nobody has looked at them for
    half a second (ra_directory.erl: auto_save); killed before, it leaves the youngest queue without
    a leader permanently.
    """
    time.sleep(_NAMES_SAVED_SECONDS)


def _all(channel: BlockingChannel, queue: str) -> list[Found]:
    found: list[Found] = []
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return found
        found.append(Found(body, properties, method.routing_key))
