"""The interface of a channel's sender."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from scheduler.outbox.retry_policy import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduler.domain.notices import Channel
    from scheduler.outbox.delivery import Delivery


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider accepted the message; ``provider_message_id`` is its id there, if it has one."""

    provider_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The user has no address on this channel or is not connected."""

    reason: str


SendResponse: TypeAlias = Accepted | Unreachable | ProviderError


class Sender(Protocol):
    """Sends over one channel; used by several threads at once."""

    @property
    def channel(self) -> Channel:
        """Return the channel."""
        ...

    def send(self, batch: Sequence[Delivery]) -> Iterator[SendResponse]:
        """Send one user's deliveries, one at each step of the iterator, and yield its response."""
        ...


class UnbatchedSender(ABC):
    """A sender whose deliveries are independent of each other."""

    def send(self, batch: Sequence[Delivery]) -> Iterator[SendResponse]:
        """Send one delivery at each step of the iterator."""
        return map(self.send_one, batch)

    @abstractmethod
    def send_one(self, delivery: Delivery) -> SendResponse:
        """Send a delivery and return the response."""
