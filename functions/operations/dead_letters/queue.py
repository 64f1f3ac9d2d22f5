"""Reads the dead-letter queue without losing letters or changing their order.

A quorum queue cannot be browsed; letters are consumed without acknowledgement and then returned.
Three rules preserve the order (rabbit_fifo, ``return`` and ``return_all``; tested with 40,000
letters on RabbitMQ 3.10.8):

* Letters are returned by closing the channel. All versions of RabbitMQ then requeue them in the
  order of delivery. A nack on 3.x requeues in the order of a hash map, and the consumer receives
  each letter again at once.
* The prefetch count of a consumer is the number of letters that it waits for, and the consumer is
  cancelled when it has them, before any is acknowledged. Therefore no letter is in flight at that
  moment; pika would nack it.
* All letters are consumed, even if few are needed: returned letters are placed before new ones,
  but behind those that were returned earlier. The exception is a pass over a long queue in
  several calls (`operations.dead_letters.passes`): each call moves the letters that it has
  returned behind the others, so after the last call they are in their order again.

Reading increments the delivery count, which `scheduler.messaging.topology.NO_DELIVERY_LIMIT`
permits.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pika.exceptions import AMQPError, ChannelClosedByBroker

from operations.dead_letters.letter import DeadLetter
from operations.errors import OpsError
from scheduler.deadline import NEVER, Deadline
from scheduler.messaging.topology import DEAD_LETTER_QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pika import BlockingConnection
    from pika.adapters.blocking_connection import BlockingChannel

BLOCK_SIZE: Final = 5_000
"""Letters per consumer; the broker reads all of them before it delivers the first."""
_NOT_FOUND: Final = 404
_WAIT_SECONDS: Final = 30.0
"""How long to wait for the next letter, and for returned letters to be in the queue."""
_POLL_SECONDS: Final = 0.01
_GETS_AFTER_ACKS: Final = 2
SMALL_BLOCK: Final = 30
"""If a pass removes letters, it fetches so few at once that their acknowledgements are in flight
together (`DeadLetterQueue._await_removal`)."""
_SHORT_REST: Final = 10_000
"""Up to this many remaining letters are read to keep the order, which takes less than a second,
even if rotation is allowed."""


@dataclass(slots=True)
class TakenLetter:
    """A letter that stays in the queue unless it is removed."""

    letter: DeadLetter
    acknowledge: Callable[[], None]
    removed: bool = False

    def remove(self) -> None:
        """Remove the letter from the queue."""
        self.acknowledge()
        self.removed = True


@contextmanager
def dead_letter_queue(
    connection: BlockingConnection,
    block_size: int = BLOCK_SIZE,
    deadline: Deadline = NEVER,
    *,
    may_rotate: bool = False,
) -> Iterator[DeadLetterQueue]:
    """Open the queue; at the end of the block all letters that were not removed are returned.

    After the deadline no more blocks are fetched. Then letters that were returned before may
    change places with those that were not read. With ``may_rotate`` that is permitted in a long
    queue, if each letter that was fetched was also yielded.

    At Ctrl-C, as after a kill, the broker requeues them when the connection is closed.

    Raises:
        OpsError: the queue does not exist.
    """
    queue = DeadLetterQueue(connection, block_size, deadline)
    try:
        yield queue
        queue.take_remaining(may_rotate=may_rotate)
    except Exception:
        with suppress(AMQPError):  # if the connection is closed, the broker has requeued them
            queue.return_letters()
        raise
    queue.return_letters()


class DeadLetterQueue:
    """The letters that are in the queue now, without later ones.

    Attributes:
        count: the number of letters.
        readers: the number of other consumers; letters that they hold are not in ``count``.
        removed: how many letters were removed.
        limit: how many letters the next block has at most.
        rotated: whether letters were returned that were followed by others, unread.
    """

    def __init__(self, connection: BlockingConnection, block_size: int, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._channel = connection.channel()
        self._block_size = block_size
        self.rotated = False
        self._taken = 0
        self._new = 0
        self._acks_since_fetch = 0
        self.removed = 0
        self._waiting: deque[TakenLetter] = deque()
        found = _declared(self._channel)
        self.count: int = found.message_count
        self.limit: int = self.count
        self.readers: int = found.consumer_count

    def letters(self, enough: Callable[[], bool] = lambda: False) -> Iterator[TakenLetter]:
        """Yield the letters, the oldest first; a block is fetched when the previous one is used up.

        Ends early when ``enough`` says so between two blocks, or when the deadline has passed, as
        `out_of_time` tells.

        Raises:
            OpsError: not all letters arrived.
        """
        while self._taken < self.count and not self._deadline.passed and not enough():
            if not self._fetch():
                raise OpsError(
                    f"only {self._taken} of {self.count} dead letters arrived; the broker is busy,"
                    " or another program reads them. Run the command again"
                )
            while self._waiting:
                yield self._waiting.popleft()

    @property
    def out_of_time(self) -> bool:
        """Return whether letters were not fetched because the deadline has passed."""
        return self._taken < self.count and self._deadline.passed

    @property
    def all_taken(self) -> bool:
        """Return whether there is no letter that was not fetched."""
        return self._taken >= self.count

    def take_remaining(self, *, may_rotate: bool) -> None:
        """Take the letters that were not yielded, so that all are returned in their order."""
        some_stay = self._taken > self.removed
        is_long = self.count - self._taken > _SHORT_REST
        if may_rotate and some_stay and is_long and not self._waiting:
            self.rotated = True
            return
        self._waiting.clear()
        self.limit = self.count
        while some_stay and self._taken < self.count and not self._deadline.passed:
            if not self._fetch():
                break
            self._waiting.clear()

    def return_letters(self) -> None:
        """Return the letters that were not removed, and wait until they are in the queue."""
        if self.removed:
            self._await_removal()
        self._channel.close()
        left = self.count + self._new - self.removed
        channel, deadline = self._connection.channel(), time.monotonic() + _WAIT_SECONDS
        while _declared(channel).message_count < left and time.monotonic() < deadline:
            self._connection.sleep(_POLL_SECONDS)

    def _fetch(self) -> bool:
        """Wait for the next block; return whether all of it arrived."""
        wanted = min(self._block_size, self.count - self._taken, self.limit)
        # Blocks are returned in the order of their consumer tags.
        name = f"dead-letters-{self._taken:09}"
        self._channel.basic_qos(prefetch_count=wanted)
        self._channel.basic_consume(DEAD_LETTER_QUEUE, self._arrive, consumer_tag=name)
        there, deadline = 0, time.monotonic() + _WAIT_SECONDS
        while there < wanted and time.monotonic() < deadline:
            self._connection.process_data_events(time_limit=_WAIT_SECONDS)
            if len(self._waiting) > there:
                there, deadline = len(self._waiting), time.monotonic() + _WAIT_SECONDS
        self._channel.basic_cancel(name)
        self._acks_since_fetch = 0
        return there == wanted

    def _await_removal(self) -> None:
        """Wait until the queue has processed all acknowledgements since the last block.

        A channel has up to 32 acknowledgements in flight and drops the others when it is closed
        (rabbit_fifo_client, ``unsent_commands``): of 600 removed letters 100 came back. A get
        waits for those in flight; then the others are sent, and the second get waits for them.
        Starting and cancelling a consumer, as for each block, waits in the same way.
        """
        if self._acks_since_fetch <= SMALL_BLOCK:
            return
        for _ in range(_GETS_AFTER_ACKS):
            method, _, _ = self._channel.basic_get(DEAD_LETTER_QUEUE)
            if method is None:
                continue
            if self.all_taken:
                self._new += 1  # returned with the others
            self._taken += 1

    def _arrive(self, _channel: object, method: Any, properties: Any, body: bytes) -> None:  # noqa: ANN401 - pika publishes no types
        letter = DeadLetter(method.routing_key, properties, body)
        self._waiting.append(TakenLetter(letter, partial(self._remove, method.delivery_tag)))
        self._taken += 1

    def _remove(self, delivery_tag: int) -> None:
        self._channel.basic_ack(delivery_tag)
        self.removed += 1
        self._acks_since_fetch += 1


def _declared(channel: BlockingChannel) -> Any:  # noqa: ANN401 - pika publishes no types
    try:
        return channel.queue_declare(DEAD_LETTER_QUEUE, passive=True).method
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        raise OpsError(
            f"there is no queue {DEAD_LETTER_QUEUE}; check the virtual host in the URL, and that"
            " the topology is declared there (deploy the stack; locally: make run)"
        ) from None
