"""Reads the dead-letter queue without losing anything or changing its order.

A quorum queue cannot be browsed: letters are taken unacknowledged and given back. Three things keep
their order (rabbit_fifo, ``return`` and ``return_all``; tried with 40,000 letters on 3.10.8):

* They are given back by closing the channel. Then RabbitMQ, in all versions, returns them in the
  order of their delivery. What a nack names returns on 3.x in the order of a hash map, and while
  the consumer lives it gets each letter again at once.
* A consumer may hold exactly as many as it waits for, and is cancelled when it has them, before one
  is acknowledged. So none is on its way at that moment: pika would nack it.
* All letters are taken, even if few are wanted: those that return stand before new ones, but behind
  those that returned earlier.

Each look raises the delivery count by one, which
`scheduler.messaging.topology.NO_DELIVERY_LIMIT` makes harmless.
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

BLOCK: Final = 5_000
"""How many letters a consumer is for: the broker reads them all before it sends the first."""
_NOT_FOUND: Final = 404
_PATIENCE: Final = 30.0
"""Seconds to wait for a letter that was counted, and for letters to be back in the queue."""
_PAUSE: Final = 0.01
_ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter and how to remove it for good; one that is not removed stays."""

    letter: DeadLetter
    remove: Callable[[], None]


@contextmanager
def dead_letter_queue(
    connection: BlockingConnection, block: int = BLOCK
) -> Iterator[DeadLetterQueue]:
    """Open the queue; at the end of the block all letters that were not removed are back in it.

    At Ctrl-C, as at a kill, the broker takes them back when the connection is gone.

    Raises:
        OpsError: there is no such queue.
    """
    queue = DeadLetterQueue(connection, block)
    try:
        yield queue
        queue.take_the_rest()
    except Exception:
        with suppress(AMQPError):  # without a connection the broker has taken them back already
            queue.give_back()
        raise
    queue.give_back()


class DeadLetterQueue:
    """The letters that are in the queue now; what arrives later is left alone.

    Attributes:
        count: how many letters there are.
        readers: how many others are reading; what they have taken is not in ``count``.
        arrived: is called for each letter that has come from the broker.
    """

    def __init__(self, connection: BlockingConnection, block: int) -> None:
        self._connection = connection
        self._channel = connection.channel()
        self._block = block
        self._taken = 0
        self._removed = 0
        self._waiting: deque[Taken] = deque()
        found = _declared(self._channel)
        self.count: int = found.message_count
        self.readers: int = found.consumer_count
        self.arrived: Callable[[], None] = lambda: None

    def letters(self) -> Iterator[Taken]:
        """Yield the letters, the oldest first; each block is fetched when the last one is done.

        Raises:
            OpsError: not all of them came.
        """
        while self._taken < self.count:
            if not self._fetch():
                raise OpsError(
                    f"of {self.count} dead letters only {self._taken} came: the broker is too busy,"
                    " or somebody else reads them; run it again"
                )
            while self._waiting:
                yield self._waiting.popleft()

    def take_the_rest(self) -> None:
        """Let those that were not yielded keep their place behind those that were and stay."""
        some_stay = self._taken > self._removed
        self._waiting.clear()
        while some_stay and self._taken < self.count and self._fetch():
            self._waiting.clear()

    def give_back(self) -> None:
        """Return what was not removed, and wait until it can be taken again."""
        if self._removed:
            self._await_removal()
        self._channel.close()
        kept, deadline = self._taken - self._removed, time.monotonic() + _PATIENCE
        channel = self._connection.channel()
        while _declared(channel).message_count < kept and time.monotonic() < deadline:
            self._connection.sleep(_PAUSE)

    def _fetch(self) -> bool:
        """Wait until the next block is here; return whether it came."""
        wanted = min(self._block, self.count - self._taken)
        # Blocks are given back in the order of their names.
        name = f"dead-letters-{self._taken:09}"
        self._channel.basic_qos(prefetch_count=wanted)
        self._channel.basic_consume(DEAD_LETTER_QUEUE, self._arrive, consumer_tag=name)
        there, deadline = 0, time.monotonic() + _PATIENCE
        while there < wanted and time.monotonic() < deadline:
            self._connection.process_data_events(time_limit=_PATIENCE)
            if len(self._waiting) > there:
                there, deadline = len(self._waiting), time.monotonic() + _PATIENCE
        self._channel.basic_cancel(name)
        return there == wanted

    def _await_removal(self) -> None:
        """Wait until the queue has seen all acknowledgements.

        A channel lets 32 be under way, and forgets the others when it is closed
        (rabbit_fifo_client, ``unsent_commands``): of 600 letters 100 came back. A get waits for
        those under way; after it the others are sent, and the next one waits for these.
        """
        for _ in range(_ROUNDS):
            method, _, _ = self._channel.basic_get(DEAD_LETTER_QUEUE)
            self._taken += method is not None  # it came meanwhile, and is given back with the rest

    def _arrive(self, _channel: object, method: Any, properties: Any, body: bytes) -> None:  # noqa: ANN401 - pika publishes no types
        letter = DeadLetter(method.routing_key, properties, body)
        self._waiting.append(Taken(letter, partial(self._remove, method.delivery_tag)))
        self._taken += 1
        self.arrived()

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
