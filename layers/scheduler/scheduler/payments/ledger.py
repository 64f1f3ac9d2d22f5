"""Counts the payments of a batch in DynamoDB before its database transaction writes.

Counting is idempotent per message: after a crash between the count and the commit, the redelivered
message does not raise the count again, and the release is made then. Payments are counted before
any row is locked, so that a slow DynamoDB does not hold up other queues.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from scheduler.messaging.contract import PaymentEffect
from scheduler.payments.failure import (
    MAX_COUNT,
    MAX_TOGETHER,
    CountRefusedError,
    CountThrottledError,
    Failure,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from scheduler.messaging.validate import Parsed

_THREADS: Final = 16
_MAX_ONE_BY_ONE: Final = 4
"""Up to so many failures, counting one by one is as fast as a transaction, at half the price."""


class PaymentCounter(Protocol):
    """What the ledger needs of `scheduler.payments.counter.PaymentFailures`."""

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        """Count a failure once; None if a newer reset superseded it."""
        ...

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        """Count failures of at most `MAX_TOGETHER` users; missing ones were not counted."""
        ...

    def reset(self, user_id: str, at: datetime, now: datetime) -> None:
        """Forget the failures up to ``at``."""
        ...


@dataclass(slots=True)
class Counted:
    """The result of counting a batch, by message key.

    ``counts`` holds the user's count, ``superseded`` failures older than a reset, ``refused`` the
    errors of failures that could not be counted, and ``throttled`` of those that can be later.
    """

    counts: dict[str, int] = field(default_factory=dict)
    superseded: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    throttled: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, count: int | None) -> None:
        """Add what the counter returned for a message."""
        if count is None:
            self.superseded.add(key)
        else:
            self.counts[key] = count

    def knows(self, key: str) -> bool:
        """Tell whether a message has been counted or superseded."""
        return key in self.counts or key in self.superseded


class PaymentLedger:
    """Counts and resets for a batch: users in parallel, the messages of one user in order."""

    def __init__(self, counter: PaymentCounter) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - `Counted` needs none

        self._counter = counter
        self._pool = ThreadPoolExecutor(_THREADS)
        self._known: dict[str, Parsed] = {}
        self._counted = Counted()

    def apply(self, batch: Iterable[Parsed], now: datetime) -> Counted:
        """Count or reset for every message that has an effect on payments.

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
            self._counted = self._apply(listed, now)
            if not self._counted.refused and not self._counted.throttled:
                self._known = {parsed.key: parsed for parsed in listed}
        return self._counted

    def forget(self) -> None:
        """Count the last batch again if it is retried, because a reset may have happened since."""
        self._known = {}

    def _apply(self, batch: Iterable[Parsed], now: datetime) -> Counted:
        by_user: dict[str, list[Parsed]] = defaultdict(list)
        for parsed in batch:
            by_user[parsed.event.subject_id].append(parsed)
        counted = Counted()
        self._count_together([one for one in by_user.values() if _only_fails(one)], now, counted)
        for messages in by_user.values():
            _number_consecutively([parsed.key for parsed in messages], counted.counts)
        left = [messages for messages in by_user.values() if not counted.knows(messages[0].key)]
        for _ in self._pool.map(lambda messages: self._apply_user(messages, now, counted), left):
            pass
        return counted

    def _count_together(
        self, users: Sequence[Sequence[Parsed]], now: datetime, counted: Counted
    ) -> None:
        """Count the failures of users of whom the batch has nothing else."""
        if sum(map(len, users)) <= _MAX_ONE_BY_ONE:
            return
        starts = range(0, len(users), MAX_TOGETHER)
        parts = [_failures(users[start : start + MAX_TOGETHER]) for start in starts]
        for counts in self._pool.map(lambda part: self._counter.count_together(part, now), parts):
            for key, count in counts.items():
                counted.add(key, count)

    def _apply_user(self, messages: list[Parsed], now: datetime, counted: Counted) -> None:
        """Count or reset the messages of one user in order, until DynamoDB throttles them."""
        for position, parsed in enumerate(messages):
            try:
                self._apply_one(parsed, now, counted)
            except CountRefusedError as error:
                counted.refused[parsed.key] = str(error)
            except CountThrottledError as error:
                counted.throttled |= {one.key: str(error) for one in messages[position:]}
                break
        _number_consecutively([parsed.key for parsed in messages], counted.counts)

    def _apply_one(self, parsed: Parsed, now: datetime, counted: Counted) -> None:
        event = parsed.event
        if event.payment is PaymentEffect.RESET:
            self._counter.reset(event.subject_id, event.occurred_at, now)
            return
        count = self._counter.count(event.subject_id, parsed.key, event.occurred_at, now)
        counted.add(parsed.key, count)


def _only_fails(messages: Sequence[Parsed]) -> bool:
    return all(parsed.event.payment is PaymentEffect.FAILURE for parsed in messages)


def _failures(users: Iterable[Iterable[Parsed]]) -> list[Failure]:
    return [Failure(p.event.subject_id, p.key, p.event.occurred_at) for p in chain(*users)]


def _number_consecutively(keys: list[str], counts: dict[str, int]) -> None:
    """Number the counts of one user consecutively, as when they were first counted.

    After a crash between the count and the commit, the counter returns the total for each of them;
    the user would then be notified three times of the suspension instead of being warned twice. A
    count at its maximum says nothing of how many failures there are, and stands.
    """
    after: int | None = None
    for key in reversed(dict.fromkeys(keys)):
        if key in counts and counts[key] < MAX_COUNT:
            after = counts[key] if after is None else max(1, min(counts[key], after - 1))
            counts[key] = after
