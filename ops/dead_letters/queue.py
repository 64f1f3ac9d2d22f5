"""Reads the dead-letter queue without losing anything or changing its order.

A quorum queue cannot be browsed: letters are taken unacknowledged and given back. They are given
back by closing the channel: then RabbitMQ, in all versions, returns them to the head of the queue
in the order of their delivery. A nack would not do: while the consumer lives it gets the letter
again at once, and 3.x returns many together in the order of a hash map (rabbit_fifo, ``return`` and
``return_all``; tried with 5,000 letters on 3.10.8). Each look raises the delivery count by one,
which `scheduler.messaging.topology.NO_DELIVERY_LIMIT` makes harmless.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pika.exceptions import AMQPError, ChannelClosedByBroker

from ops.dead_letters.letter import DeadLetter
from ops.errors import OpsError
from scheduler.messaging.topology import DEAD_LETTER_QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pika import BlockingConnection
    from pika.adapters.blocking_connection import BlockingChannel

MOST_UNACKNOWLEDGED: Final = 65_535
"""As many as AMQP can allow a consumer (prefetch is a 16-bit number)."""
_NOT_FOUND: Final = 404
_PATIENCE: Final = 5.0
"""Seconds to wait for a letter that was counted, and for letters to be back in the queue."""
_PAUSE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter and how to remove it for good; one that is not removed stays."""

    letter: DeadLetter
    remove: Callable[[], None]


@contextmanager
def dead_letter_queue(
    connection: BlockingConnection, prefetch: int = MOST_UNACKNOWLEDGED
) -> Iterator[DeadLetterQueue]:
    """Open the queue; at the end of the block all letters that were not removed are back in it.

    Raises:
        OpsError: there is no such queue.
    """
    queue = DeadLetterQueue(connection, prefetch)
    try:
        yield queue
    finally:
        with suppress(AMQPError):  # without a connection the broker has taken them back already
            queue.give_back()


class DeadLetterQueue:
    """The letters that are in the queue now; what arrives later is left alone.

    Attributes:
        count: how many letters there are.
        readers: how many others are reading; what they have taken is not in ``count``.
        taken: how many letters were seen so far; in the end less than ``count`` if another
            reader took some.
    """

    def __init__(self, connection: BlockingConnection, prefetch: int) -> None:
        self._connection = connection
        self._channel = connection.channel()
        self._prefetch = prefetch
        self._room = 0
        self._removed = 0
        self._arrived: deque[Taken] = deque()
        found = _declared(self._channel)
        self.count: int = found.message_count
        self.readers: int = found.consumer_count
        self.taken = 0

    def letters(self) -> Iterator[Taken]:
        """Yield the letters, the oldest first."""
        self._channel.basic_qos(prefetch_count=self._prefetch)
        while self.taken < self.count:
            if not self._arrived and not self._wait():
                return
            self.taken += 1
            yield self._arrived.popleft()

    def give_back(self) -> None:
        """Return what was not removed, and wait until it can be taken again."""
        # Not BlockingChannel.close(): that nacks what it has received but not yet passed on.
        self._channel._impl.close()  # noqa: SLF001
        while self._channel.is_open:
            self._connection.process_data_events(time_limit=_PAUSE)
        kept, deadline = self.taken - self._removed, time.monotonic() + _PATIENCE
        channel = self._connection.channel()
        while _declared(channel).message_count < kept and time.monotonic() < deadline:
            self._connection.sleep(_PAUSE)

    def _wait(self) -> bool:
        """Wait for letters; one consumer holds only so many, so another one may be needed."""
        if self.taken - self._removed >= self._room:
            self._channel.basic_consume(DEAD_LETTER_QUEUE, self._arrive)
            self._room += self._prefetch
        deadline = time.monotonic() + _PATIENCE
        while not self._arrived and time.monotonic() < deadline:
            self._connection.process_data_events(time_limit=_PATIENCE)
        return bool(self._arrived)

    def _arrive(self, _channel: object, method: Any, properties: Any, body: bytes) -> None:  # noqa: ANN401 - pika publishes no types
        letter = DeadLetter(method.routing_key, properties, body)
        self._arrived.append(Taken(letter, partial(self._remove, method.delivery_tag)))

    def _remove(self, delivery_tag: int) -> None:
        self._channel.basic_ack(delivery_tag)
        self._removed += 1


def _declared(channel: BlockingChannel) -> Any:  # noqa: ANN401 - likewise
    try:
        return channel.queue_declare(DEAD_LETTER_QUEUE, passive=True).method
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        raise OpsError(
            f"there is no queue {DEAD_LETTER_QUEUE}: is it the right virtual host? If so, the"
            " topology is not declared there (deploy the stack; locally: make run)"
        ) from None
