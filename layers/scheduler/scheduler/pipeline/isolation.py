"""Keeps a failure with its message: bisection for bad statements, parking for outages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

import pymysql

from scheduler.bisection import MAX_REFUSALS, bisect
from scheduler.database.errors import (
    DatabaseUnavailableError,
    StatementRefusedError,
    is_lock_wait,
    text_of,
)
from scheduler.payments.failure import PaymentsUnavailableError
from scheduler.pipeline.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scheduler.deadline import Deadline
    from scheduler.messaging.validate import Parsed
    from scheduler.pipeline.event_rules import Handling
    from scheduler.pipeline.transaction import BatchTransaction

T = TypeVar("T")

_RETRY_DELAYS: Final = (0.2, 0.5, 1.0)
"""Seconds between attempts of an invocation while the database is unavailable: long enough for a
connection that fails over, not for a whole RDS failover."""

_SHRINKS_BY: Final = 4
_SLOW_SECONDS: Final = 10
"""A transaction that fails after this time was too large for the database, or the time was over."""

_MAX_REFUSED: Final = 1000
"""How many messages that the server refused an environment remembers."""

_MAX_LOCK_SEARCHES: Final = 3
"""How often an invocation looks for locked rows; before each search it has waited for a lock. After
that, messages that meet a lock are parked."""


class PartSize:
    """How many messages are applied in one transaction, over the invocations of an environment.

    Parked messages come back in the same batches. If one takes longer than an invocation may, the
    next is applied in smaller parts, so that some of it is finished. A message that took too long
    alone, such as the suspension of a user with very many devices, comes last and alone: otherwise
    those behind it would never have any time. Before those come the messages that the server
    refused: if many of them are next to each other, an invocation cannot find all of them.
    """

    def __init__(self) -> None:
        self._largest: int | None = None
        self._refused: set[str] = set()
        """The keys of messages that the server refused alone."""
        self._slow: dict[str, None] = {}
        """The keys of messages that took too long alone, the latest attempt last."""

    def parts(self, batch: Sequence[Parsed]) -> Iterator[Sequence[Parsed]]:
        """Yield the parts of a batch, usually all of it."""
        slow, refused, others = list(self._slow), self._refused.difference(self._slow), batch
        if slow or refused:
            others = [one for one in batch if one.key not in self._slow.keys() | refused]
        at = 0
        while at < len(others):
            size = self._largest or len(others)
            yield others[at : at + size]
            at += size
        if again := [one for one in batch if one.key in refused]:
            yield again
        yield from ([one] for key in slow for one in batch if one.key == key)

    def too_slow(self, part: Sequence[Parsed]) -> None:
        """Apply less at a time: a transaction did not end in the time of its invocation."""
        self._largest = max(1, len(part) // _SHRINKS_BY)
        if len(part) == 1:
            self._slow.pop(part[0].key, None)
            self._slow[part[0].key] = None

    def refused(self, parsed: Parsed) -> None:
        """Apply a message after the others: the server refused it alone."""
        if len(self._refused) >= _MAX_REFUSED:
            self._refused.clear()
        self._refused.add(parsed.key)

    def done(self, part: Sequence[Parsed]) -> None:
        """Apply more at a time again, if this part was as large as it may be."""
        if self._largest and len(part) >= self._largest:
            self._largest *= 2
        for one in part if self._slow or self._refused else ():
            self._slow.pop(one.key, None)
            self._refused.discard(one.key)


class Isolation:
    """Applies the messages of one invocation so that a failure costs only its own message.

    A bad statement is found by bisection, and so is a message that the server has no room or time
    for, which is parked. Locked users and devices are found by one query for all of them, since
    waiting for each would take longer than the invocation may last. If neither is
    locked, the lock is elsewhere, and the whole batch waits for it.
    """

    def __init__(
        self,
        transaction: BatchTransaction,
        deadline: Deadline,
        part_size: PartSize | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transaction = transaction
        self._deadline = deadline
        self._part_size = part_size or PartSize()
        self._sleep = sleep
        self._delays = iter(_RETRY_DELAYS)
        self._lock_searches = _MAX_LOCK_SEARCHES
        self._refusals_left = MAX_REFUSALS

    def apply(self, batch: Sequence[Parsed], handling: Handling) -> list[Outcome]:
        """Return an outcome for every message; never raises.

        While the database or DynamoDB is unavailable, or when no time is left, messages are parked.
        """
        return [
            outcome
            for part in self._part_size.parts(batch)
            for outcomes in bisect(part, lambda half: self._attempt(half, handling), self._failed)
            for outcome in outcomes
        ]

    def persist(self, action: Callable[[], T]) -> T:
        """Run an action, and again as long as an invocation waits for the database.

        Raises:
            DatabaseUnavailableError: the database is still unavailable, or no time is left.
            Exception: another error of the action.
        """
        while True:
            try:
                return action()
            except DatabaseUnavailableError:
                delay = None if self._deadline.passed else next(self._delays, None)
                if delay is None:
                    raise
                self._sleep(delay)

    def _attempt(self, batch: Sequence[Parsed], handling: Handling) -> list[Outcome]:
        while not self._deadline.passed:
            started = time.monotonic()
            try:
                applied = self._transaction.apply(batch, handling)
            except (DatabaseUnavailableError, PaymentsUnavailableError) as error:
                if self._deadline.passed or time.monotonic() - started > _SLOW_SECONDS:
                    self._part_size.too_slow(batch)
                delay = next(self._delays, None)
                if delay is None:
                    self._raise_if_partial(error)
                    return _parked(batch, _text(error))
                self._sleep(delay)
            except Exception as error:
                if not is_lock_wait(error):
                    raise
                return self._apply_unlocked(batch, handling, error)
            else:
                self._refusals_left = MAX_REFUSALS
                self._part_size.done(batch)
                return applied
        return _parked(batch, "no time left in this invocation")

    def _raise_if_partial(self, error: Exception) -> None:
        """Raise an error that a part of the batch may have caused, so that it is bisected."""
        if isinstance(error, StatementRefusedError) and self._refusals_left:
            self._refusals_left -= 1
            raise error

    def _failed(self, parsed: Parsed, error: Exception) -> list[Outcome]:
        if isinstance(error, DatabaseUnavailableError):
            self._part_size.refused(parsed)
            return _parked([parsed], _text(error))
        return [Outcome(parsed.message, Verdict.FAILED, parsed, _text(error))]

    def _apply_unlocked(
        self, batch: Sequence[Parsed], handling: Handling, error: Exception
    ) -> list[Outcome]:
        """Park the messages whose rows are locked, and apply the others."""
        why = f"other transactions hold its rows: {text_of(error)}"
        if not self._lock_searches:
            return _parked(batch, why)
        self._lock_searches -= 1
        try:
            blocked = self._transaction.blocked(batch, handling)
        except (DatabaseUnavailableError, pymysql.MySQLError):
            return _parked(batch, why)
        if not blocked:
            # Released meanwhile, or in a table that is not searched: one more attempt shows which.
            self._lock_searches = 0
        free = [parsed for parsed in batch if parsed.event.subject_id not in blocked]
        waiting = [parsed for parsed in batch if parsed.event.subject_id in blocked]
        applied = self.apply(free, handling) if free else []
        return [*applied, *_parked(waiting, why)]


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _parked(batch: Sequence[Parsed], why: str) -> list[Outcome]:
    return [Outcome(parsed.message, Verdict.PARKED, parsed, f"parked: {why}") for parsed in batch]
