"""Keeps account of what the broker has confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.messaging.publisher import Outbound


class Window:
    """Messages published one after the other, without awaiting the confirm of any.

    The broker numbers the messages of a channel from 1 and confirms, in any order, one by its
    number or, with ``multiple``, all up to it (https://www.rabbitmq.com/docs/confirms).
    """

    def __init__(self, messages: Sequence[Outbound], published_before: int) -> None:
        """Begin with nothing confirmed.

        Args:
            messages: in the order in which they are published.
            published_before: how many messages were published on the channel before these.
        """
        self._messages = messages
        self._first = published_before + 1
        self._unconfirmed = set(range(self._first, self._first + len(messages)))

    def confirm(self, number: int, *, multiple: bool) -> None:
        """Note a confirm; one of another window's message, or a repeated one, changes nothing."""
        self._unconfirmed.difference_update(self._meant(number, multiple=multiple))

    def unconfirmed(self, number: int, *, multiple: bool) -> list[Outbound]:
        """Return which of the messages that a number stands for are unconfirmed, in order."""
        return [self._messages[one - self._first] for one in self._meant(number, multiple=multiple)]

    @property
    def complete(self) -> bool:
        """Whether everything is confirmed."""
        return not self._unconfirmed

    @property
    def confirmed_in_order(self) -> int:
        """How many messages come before the first unconfirmed one."""
        end = self._first + len(self._messages)
        return min(self._unconfirmed, default=end) - self._first

    def _meant(self, number: int, *, multiple: bool) -> list[int]:
        if multiple:
            return sorted(one for one in self._unconfirmed if one <= number)
        return [number] if number in self._unconfirmed else []
