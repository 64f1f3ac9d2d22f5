"""Messages to publish, and which of them the broker has confirmed. Imports no pika."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scheduler.json_text import safe_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message to publish; ``properties`` as in `scheduler.messaging.message.Message`."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Mapping[str, Any]

    def __str__(self) -> str:
        # Errors quote this, and Lambda logs the error of a failed invocation as it is.
        id_ = safe_json(self.properties.get("message_id") or "a message").strip('"')
        return f"{id_} to {self.exchange or 'queue'} {self.routing_key}"


class BrokerUnavailableError(Exception):
    """The broker is unreachable, or did not accept a message.

    Messages are converted so that none can be the cause (docs/decisions.md, 56).
    """


class MessageRefusedError(BrokerUnavailableError):
    """The broker works, but does not accept a message: its queue is full, or does not exist."""


class ConfirmWindow:
    """Messages that are published one after the other without awaiting each confirm.

    The broker numbers the messages of a channel from 1. It confirms them in any order: one by its
    number or, with ``multiple``, all up to that number (https://www.rabbitmq.com/docs/confirms).
    """

    def __init__(self, messages: Sequence[OutboundMessage], published_before: int) -> None:
        """Begin with nothing confirmed.

        Args:
            messages: in the order in which they are published.
            published_before: how many messages were published on the channel before these.
        """
        self._messages = messages
        self._first = published_before + 1
        self._unconfirmed = set(range(self._first, self._first + len(messages)))

    def confirm(self, number: int, *, multiple: bool) -> None:
        """Record a confirm; those of other windows' messages and repeated ones have no effect."""
        self._unconfirmed.difference_update(self._matching(number, multiple=multiple))

    def unconfirmed(self, number: int, *, multiple: bool) -> list[OutboundMessage]:
        """Return the unconfirmed messages that an answer of the broker refers to, in order."""
        numbers = self._matching(number, multiple=multiple)
        return [self._messages[one - self._first] for one in numbers]

    @property
    def complete(self) -> bool:
        """Whether every message is confirmed."""
        return not self._unconfirmed

    @property
    def confirmed_in_order(self) -> int:
        """How many messages come before the first unconfirmed one."""
        end = self._first + len(self._messages)
        return min(self._unconfirmed, default=end) - self._first

    def _matching(self, number: int, *, multiple: bool) -> list[int]:
        if multiple:
            return sorted(one for one in self._unconfirmed if one <= number)
        return [number] if number in self._unconfirmed else []
