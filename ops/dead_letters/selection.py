"""Selects dead letters by queue, error, id and age."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ops.errors import InvalidInputError, OpsError
from scheduler.messaging.topology import WorkQueue, event_queue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ops.dead_letters.letter import DeadLetter
    from ops.dead_letters.queue import TakenLetter

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"(\d{1,5})([smhd])")


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that a letter must all meet; without conditions, every letter is selected.

    A letter of unknown age meets no condition on the age.
    """

    queues: frozenset[str] = frozenset()
    error: re.Pattern[str] | None = None
    ids: frozenset[str] = frozenset()
    failed_until: datetime | None = None
    failed_since: datetime | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Return whether a letter meets all conditions."""
        return (
            (not self.queues or letter.source_queue in self.queues)
            and (not self.ids or letter.id in self.ids)
            and (self.error is None or self.error.search(letter.error) is not None)
            and self._has_age(letter.failed_at)
        )

    def _has_age(self, failed_at: datetime | None) -> bool:
        if failed_at is None:
            return self.failed_until is None and self.failed_since is None
        return (self.failed_until is None or failed_at <= self.failed_until) and (
            self.failed_since is None or failed_at >= self.failed_since
        )


@dataclass(slots=True)
class Filter:
    """Selects letters and counts the selected ones and all, by queue."""

    selection: Selection
    total: int = 0
    matched: int = 0
    sources: Counter[str] = field(default_factory=Counter)

    def apply(self, letters: Iterable[TakenLetter]) -> Iterator[TakenLetter]:
        """Yield the letters that match."""
        for one in letters:
            self.total += 1
            self.sources[one.letter.source_queue] += 1
            if self.selection.matches(one.letter):
                self.matched += 1
                yield one

    def require_match(self) -> None:
        """Raise an error if there are letters but none was selected.

        Raises:
            OpsError: the message lists the queues that have letters.
        """
        if self.total and not self.matched:
            raise OpsError(self.no_match_message)

    @property
    def no_match_message(self) -> str:
        """Return the message for an empty selection; it lists the queues that have letters."""
        there = ", ".join(f"{queue} ({count})" for queue, count in self.sources.most_common())
        return f"no dead letter matches; there are letters from {there}"


def queue_name(given: str) -> str:
    """Return the queue of an event for an event type, the queue's name or a shard's name."""
    return event_queue(given)[0] if given.startswith("scheduler.") else WorkQueue(given).name


def error_pattern(given: str) -> re.Pattern[str]:
    """Return a pattern for a part of an error's text, or for ``/regular expression/``.

    Raises:
        InvalidInputError: the regular expression is malformed.
    """
    is_pattern = len(given) > 1 and given.startswith("/") and given.endswith("/")
    try:
        return re.compile(given[1:-1] if is_pattern else re.escape(given), re.IGNORECASE)
    except re.error as error:
        raise InvalidInputError(f"{given} is not a regular expression: {error}") from None


def parse_duration(given: str) -> timedelta:
    """Parse a duration such as ``90s``, ``30m``, ``2h`` or ``7d``.

    Raises:
        InvalidInputError: the text has another form.
    """
    found = _DURATION.fullmatch(given)
    if not found:
        raise InvalidInputError(f"{given!r} is not a duration; write 90s, 30m, 2h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
