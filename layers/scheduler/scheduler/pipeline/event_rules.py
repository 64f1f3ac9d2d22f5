"""Registers the rule of each event; functions/<family>_events/rules.py define them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from scheduler.messaging.contract import Event
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.domain.work import Work

E = TypeVar("E", bound=Event)


class Handling(NamedTuple):
    """An event's contract, its rule, and what it still changes if it is outdated."""

    contract: type[Event]
    rule: Callable[[Any, Work], None]
    if_outdated: Callable[[Any, Work], None] | None = None


class EventRules:
    """The rules of one family of events."""

    def __init__(self) -> None:
        self._by_type: dict[str, Handling] = {}

    def on(
        self, contract: type[E], *, if_outdated: Callable[[E, Work], None] | None = None
    ) -> Callable[[Callable[[E, Work], None]], Callable[[E, Work], None]]:
        """Return a decorator that registers a function as the rule of an event.

        ``if_outdated`` is applied instead of the rule if the event is outdated.
        """

        def register(rule: Callable[[E, Work], None]) -> Callable[[E, Work], None]:
            self._by_type[contract.event_type] = Handling(contract, rule, if_outdated)
            return rule

        return register

    def of_queue(self, queue: str) -> Handling | None:
        """Return contract and rule of a queue's event; None if the queue is not one of ours."""
        work_queue = WORK_QUEUE_BY_NAME.get(queue)
        return self._by_type.get(work_queue.event_type) if work_queue else None

    @property
    def contracts(self) -> dict[str, type[Event]]:
        """Return the contracts by event type."""
        return {event_type: handling.contract for event_type, handling in self._by_type.items()}
