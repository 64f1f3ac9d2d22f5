"""A sender whose provider is the test."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from notification_dispatch.channels.sender import Accepted, Answer
from scheduler.domain.notices import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scheduler.outbox.delivery import Delivery


class FakeSender:
    """Sends one by one to a function of the test, and keeps what it was asked to send.

    ``overlapping`` holds the deliveries that were being sent by two at once: there must be none.
    """

    def __init__(
        self,
        channel: Channel = Channel.EMAIL,
        answer: Callable[[Delivery], Answer] = lambda _: Accepted("id"),
    ) -> None:
        self.channel = channel
        self.answer = answer
        self.asked: list[int] = []
        self.overlapping: set[int] = set()
        self._under_way: set[int] = set()
        self._lock = Lock()

    def batches(self, deliveries: Sequence[Delivery]) -> Iterable[Sequence[Delivery]]:
        """Divide into single deliveries."""
        return [(delivery,) for delivery in deliveries]

    def send(self, batch: Sequence[Delivery]) -> Iterator[Answer]:
        """Ask the test."""
        for delivery in batch:
            with self._lock:
                self.asked.append(delivery.id)
                if delivery.id in self._under_way:
                    self.overlapping.add(delivery.id)
                self._under_way.add(delivery.id)
            try:
                yield self.answer(delivery)
            finally:
                with self._lock:
                    self._under_way.discard(delivery.id)
