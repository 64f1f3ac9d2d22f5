"""Counts the payments of a batch in DynamoDB before its database transaction writes.

Counting is idempotent per message: after a crash between the count and the commit, the redelivered
message does not raise the count again, and the release is made then. Payments are counted before
any row is locked, so that a slow DynamoDB does not hold up other queues.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import TYPE_CHECKING, Final, Protocol

from scheduler.deadline import NEVER
from scheduler.domain.guard import latest
from scheduler.messaging.contract import PaymentEffect
from scheduler.payments.failure import (
    MAX_COUNT,
    MAX_TOGETHER,
    CountPostponedError,
    CountRefusedError,
    Failure,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from scheduler.deadline import Deadline
    from scheduler.messaging.validate import Parsed

_THREADS: Final = 16
_MAX_ONE_BY_ONE: Final = 4
"""Up to this many failures, counting one by one is as fast as a transaction, at half the price."""
_SHARE_OF_TIME: Final = 0.5
"""Of the time left, for counting; the database transaction needs the rest."""
_NO_TIME: Final = "no time left in this invocation"


class PaymentCounter(Protocol):
    """What the ledger needs of `scheduler.payments.counter.PaymentFailures`."""

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        """Count a failure once; None if a newer reset superseded it."""
        ...

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        """Count failures of at most `MAX_TOGETHER` users; missing ones were not counted."""
        ...

    def reset(self, user_id: str, at: datetime, now: datetime) -> int:
        """Forget the failures up to ``at``, and return how many later ones are left."""
        ...


@dataclass(slots=True)
class Counted:
    """The result of counting a batch, by message key.

    ``counts`` holds the user's count, ``left`` how many failures are later than a reset,
    ``superseded`` failures older than a reset, ``refused`` the errors of failures that could not be
    counted, and ``postponed`` why others must be counted or reset later.
    """

    counts: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    superseded: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    postponed: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, count: int | None) -> None:
        """Add what the counter returned for a message."""
        if count is None:
            self.superseded.add(key)
        else:
            self.counts[key] = count

    def knows(self, key: str) -> bool:
        """Return whether a message has been counted or superseded."""
        return key in self.counts or key in self.superseded


class PaymentLedger:
    """Counts and resets for a batch: users in parallel, the messages of one user in order.

    Of consecutive resets of a user, only the newest is made.
    """

    def __init__(self, counter: PaymentCounter) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - `Counted` needs none

        self._counter = counter
        self._pool = ThreadPoolExecutor(_THREADS)
        self._known: dict[str, Parsed] = {}
        self._counted = Counted()

    def apply(self, batch: Iterable[Parsed], now: datetime, deadline: Deadline = NEVER) -> Counted:
        """Count or reset for every message that has an effect on payments.

        What cannot be counted in half of the time until the deadline is postponed.

        When a transaction is retried with a part of the last batch, the earlier result is returned:
        the counter would now return the total of the whole batch for each message. A redelivered
        message is counted again, because a reset may have happened in between.

        Raises:
            Exception: the first error of the counter. Failures counted so far stay counted; the
                batch is retried and does not count them twice.
        """
        listed = list(batch)
        if any(self._known.get(parsed.key) is not parsed for parsed in listed):
            self._known = {}
            self._counted = self._apply(listed, now, deadline.after_share(_SHARE_OF_TIME))
            if not self._counted.refused and not self._counted.postponed:
                self._known = {parsed.key: parsed for parsed in listed}
        return self._counted

    def forget(self) -> None:
        """Count the last batch again if it is retried, because a reset may have happened since."""
        self._known = {}

    def _apply(self, batch: Iterable[Parsed], now: datetime, deadline: Deadline) -> Counted:
        by_user: dict[str, list[Parsed]] = defaultdict(list)
        for parsed in batch:
            by_user[parsed.event.subject_id].append(parsed)
        counted = Counted()
        self._count_together([one for one in by_user.values() if _only_fails(one)], now, counted)
        for messages in by_user.values():
            _number_consecutively([parsed.key for parsed in messages], counted.counts)
        left = [messages for messages in by_user.values() if not counted.knows(messages[0].key)]
        one_by_one = _OneByOne(self._counter, now, deadline, counted)
        for _ in self._pool.map(one_by_one.apply, left):
            pass
        return counted

    def _count_together(
        self, users: Sequence[Sequence[Parsed]], now: datetime, counted: Counted
    ) -> None:
        """Count the failures of users of whom the batch has only failures."""
        if sum(map(len, users)) <= _MAX_ONE_BY_ONE:
            return
        starts = range(0, len(users), MAX_TOGETHER)
        parts = [_failures(users[start : start + MAX_TOGETHER]) for start in starts]
        for counts in self._pool.map(lambda part: self._counter.count_together(part, now), parts):
            for key, count in counts.items():
                counted.add(key, count)


@dataclass(frozen=True, slots=True)
class _OneByOne:
    """Counts and resets for the messages of one user in order, one call each."""

    counter: PaymentCounter
    now: datetime
    deadline: Deadline
    counted: Counted

    def apply(self, messages: Sequence[Parsed]) -> None:
        """Count or reset until DynamoDB fails for the user, or no time is left."""
        steps = list(_steps(messages))
        for position, step in enumerate(steps):
            if why := self._try(step):
                left = chain(*steps[position:])
                self.counted.postponed |= {parsed.key: why for parsed in left}
                break
        _number_consecutively([parsed.key for parsed in messages], self.counted.counts)

    def _try(self, step: Sequence[Parsed]) -> str:
        """Count or reset; return why it must be done later, with all that follows."""
        if self.deadline.passed:
            return _NO_TIME
        try:
            if _fails(step[0]):
                self._count(step[0])
            else:
                self._reset(step)
        except CountRefusedError as error:
            self.counted.refused |= {parsed.key: str(error) for parsed in step}
        except CountPostponedError as error:
            return f"DynamoDB fails for this user: {error}"
        return ""

    def _count(self, parsed: Parsed) -> None:
        user_id, at = parsed.event.subject_id, parsed.event.occurred_at
        self.counted.add(parsed.key, self.counter.count(user_id, parsed.key, at, self.now))

    def _reset(self, resets: Sequence[Parsed]) -> None:
        """Make the newest reset, which includes the others.

        A time of a whole second may be newer than one within it, or older: then both are made.
        """
        moments = [parsed.event.occurred_at for parsed in resets]
        user_id, newest = resets[0].event.subject_id, {max(moments), max(moments, key=latest)}
        left = min(self.counter.reset(user_id, at, self.now) for at in newest)
        self.counted.left |= {parsed.key: left for parsed in resets}


def _steps(messages: Sequence[Parsed]) -> Iterator[list[Parsed]]:
    """Yield each failure alone, and resets that follow each other together."""
    for fails, run in groupby(messages, _fails):
        if fails:
            yield from ([parsed] for parsed in run)
        else:
            yield list(run)


def _fails(parsed: Parsed) -> bool:
    return parsed.event.payment is PaymentEffect.FAILURE


def _only_fails(messages: Sequence[Parsed]) -> bool:
    return all(map(_fails, messages))


def _failures(users: Iterable[Iterable[Parsed]]) -> list[Failure]:
    return [Failure(p.event.subject_id, p.key, p.event.occurred_at) for p in chain(*users)]


def _number_consecutively(keys: list[str], counts: dict[str, int]) -> None:
    """Number the counts of one user consecutively, as when they were first counted.

    After a crash between the count and the commit, the counter returns the total for each of them;
    the user would then be notified three times of the suspension instead of being warned twice. A
    count at its maximum does not say how many failures there are, and is not changed.
    """
    after: int | None = None
    for key in reversed(dict.fromkeys(keys)):
        if key in counts and counts[key] < MAX_COUNT:
            after = counts[key] if after is None else max(1, min(counts[key], after - 1))
            counts[key] = after
