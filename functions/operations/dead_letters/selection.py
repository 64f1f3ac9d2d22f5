"""Selects dead letters by queue, error, id and age."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from operations.dead_letters.groups import cause_of
from operations.dead_letters.letter import queue_name
from operations.errors import InvalidInputError
from operations.suggestions import hint
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME, WORK_QUEUES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from operations.dead_letters.letter import DeadLetter
    from operations.dead_letters.queue import TakenLetter


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that a letter must all meet; without conditions, every letter is selected.

    A letter of unknown age meets no condition on the age. ``ids`` are those that are stored
    (`scheduler.messaging.message.stored_id`).
    """

    queues: frozenset[str] = frozenset()
    error: re.Pattern[str] | None = None
    cause: str | None = None
    ids: frozenset[str] = frozenset()
    failed_until: datetime | None = None
    failed_since: datetime | None = None
    no_later_than: datetime | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Return whether a letter meets all conditions."""
        return (
            (not self.queues or letter.source_queue in self.queues)
            and (not self.ids or letter.stored_id in self.ids)
            and (self.error is None or self.error.search(letter.error) is not None)
            and (self.cause is None or cause_of(letter) == self.cause)
            and self._has_age(letter.failed_at)
        )

    def limited_to(self, until: datetime) -> Self:
        """Return the selection without letters that failed after a time.

        Letters of unknown age stay: one that fails again has the time of its failure.
        """
        return replace(self, no_later_than=until)

    def _has_age(self, failed_at: datetime | None) -> bool:
        if failed_at is not None and self.no_later_than and failed_at > self.no_later_than:
            return False
        if failed_at is None:
            return self.failed_until is None and self.failed_since is None
        return (self.failed_until is None or failed_at <= self.failed_until) and (
            self.failed_since is None or failed_at >= self.failed_since
        )


@dataclass(slots=True)
class Filter:
    """Selects letters and counts the selected ones and all, by queue.

    ``to_find`` are the queues of which earlier calls have found no letter; None in the first call.
    """

    selection: Selection
    to_find: AbstractSet[str] | None = None
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

    def require_known_queues(self, following: dict[str, Any] | None) -> None:
        """Refuse a name that is neither a queue of ours nor one of a letter.

        Args:
            following: the arguments of the next call, in which it may still be found; they get the
                names to find there.

        Raises:
            InvalidInputError: there is no next call; the message suggests a similar name.
        """
        names = self.selection.queues if self.to_find is None else self.to_find
        unknown = sorted(names - self.sources.keys() - WORK_QUEUE_BY_NAME.keys())
        if unknown and following is None:
            raise _unknown_queue(unknown[0], self.sources)
        if unknown and following is not None:
            following["queuesToFind"] = unknown


def require_work_queues(selection: Selection, to: str | None) -> None:
    """Refuse names of other queues before a letter is replayed, as one may be misspelt.

    Raises:
        InvalidInputError: there is one, and no queue ``to`` which its letters are replayed.
    """
    for name in sorted(selection.queues - WORK_QUEUE_BY_NAME.keys()):
        if to is None:
            raise InvalidInputError(
                f"{_unknown_queue(name)} (letters from other queues are replayed with --to EVENT)"
            )


def work_queue_name(given: str) -> str:
    """Return the work queue of an event type, or of the name of a queue or shard.

    Raises:
        InvalidInputError: there is none; the message suggests a similar one.
    """
    name = queue_name(given)
    if name not in WORK_QUEUE_BY_NAME:
        raise _unknown_queue(given)
    return name


def _unknown_queue(given: str, sources: Iterable[str] = ()) -> InvalidInputError:
    others = sorted(set(sources) - WORK_QUEUE_BY_NAME.keys())
    names = [*(queue.event_type for queue in WORK_QUEUES), *others]
    which = hint(given, names, WORK_QUEUE_BY_NAME)
    return InvalidInputError(f"no event or queue is called {given}: {which}")


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
