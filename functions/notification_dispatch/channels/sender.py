"""What a channel is to the dispatcher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from scheduler.outbox.retry_policy import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scheduler.domain.notices import Channel
    from scheduler.outbox.delivery import Delivery


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it; ``provider_message_id`` if it gave one."""

    provider_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There is nowhere to send it to; the text says why."""

    reason: str


Answer: TypeAlias = Accepted | Unreachable | ProviderError


class OneByOne(ABC):
    """Sends each delivery in a request of its own, whoever it is for."""

    def batches(self, deliveries: Sequence[Delivery]) -> Iterable[Sequence[Delivery]]:
        """Divide into single deliveries."""
        return [(delivery,) for delivery in deliveries]

    def send(self, batch: Sequence[Delivery]) -> Iterator[Answer]:
        """Send one after the other."""
        return map(self.send_one, batch)

    @abstractmethod
    def send_one(self, delivery: Delivery) -> Answer:
        """Send a delivery and return what came of it."""


class Sender(Protocol):
    """Sends over one channel; called by several threads at once."""

    @property
    def channel(self) -> Channel:
        """Return which channel it is."""
        ...

    def batches(self, deliveries: Sequence[Delivery]) -> Iterable[Sequence[Delivery]]:
        """Divide deliveries into those that one thread sends, in order."""
        ...

    def send(self, batch: Sequence[Delivery]) -> Iterator[Answer]:
        """Send one delivery at each step, in order, and yield what came of it."""
        ...
