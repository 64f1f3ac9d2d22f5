"""Which dead letters a command is about."""

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
    from ops.dead_letters.queue import Taken

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGE: Final = re.compile(r"(\d{1,5})([smhd])")


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that a letter must meet, all of them; without any it selects every letter.

    A letter of unknown age is neither older nor newer than anything.
    """

    queues: frozenset[str] = frozenset()
    error: re.Pattern[str] | None = None
    ids: frozenset[str] = frozenset()
    failed_until: datetime | None = None
    failed_since: datetime | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Return whether a letter meets the conditions."""
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
class Sieve:
    """Lets the selected letters through and counts all."""

    selection: Selection
    total: int = 0
    matched: int = 0
    sources: Counter[str] = field(default_factory=Counter)

    def sift(self, letters: Iterable[Taken]) -> Iterator[Taken]:
        """Yield those that match."""
        for one in letters:
            self.total += 1
            self.sources[one.letter.source_queue] += 1
            if self.selection.matches(one.letter):
                self.matched += 1
                yield one

    def require_match(self) -> None:
        """Make sure that something was selected, unless there was nothing to select from.

        Raises:
            OpsError: names the queues of which there are letters.
        """
        if self.total and not self.matched:
            raise OpsError(self.nothing)

    @property
    def nothing(self) -> str:
        """Return what to say when nothing was selected: the queues of which there are letters."""
        there = ", ".join(f"{queue} ({count})" for queue, count in self.sources.most_common())
        return f"no dead letter matches; there are letters of {there}"


def queue_name(given: str) -> str:
    """Return the event's queue that is meant by its name, a shard's name or an event type."""
    return event_queue(given)[0] if given.startswith("scheduler.") else WorkQueue(given).name


def error_pattern(given: str) -> re.Pattern[str]:
    """Return a pattern for a part of an error's text, or for ``/regular expression/``.

    Raises:
        InvalidInputError: not a regular expression; says where.
    """
    is_pattern = len(given) > 1 and given.startswith("/") and given.endswith("/")
    try:
        return re.compile(given[1:-1] if is_pattern else re.escape(given), re.IGNORECASE)
    except re.error as error:
        raise InvalidInputError(f"{given} is not a regular expression: {error}") from None


def duration(given: str) -> timedelta:
    """Return the duration in a text such as ``90s``, ``30m``, ``2h`` or ``7d``.

    Raises:
        InvalidInputError: not of that form.
    """
    found = _AGE.fullmatch(given)
    if not found:
        raise InvalidInputError(f"{given!r} is not an age: write 90s, 30m, 2h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
