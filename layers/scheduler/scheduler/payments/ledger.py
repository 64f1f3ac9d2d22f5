"""Brings the payments of a batch into DynamoDB before its transaction writes.

Counting is idempotent per message, so a crash between the count and the commit is mended by
the redelivery: the count stands still and the release is made. It happens before any row is
locked: a slow DynamoDB must not hold up other queues.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from scheduler.messaging.contract import PaymentEffect
from scheduler.payments.errors import CountRefusedError
from scheduler.payments.failure import MOST_TOGETHER, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from scheduler.messaging.validate import Parsed

_PARALLEL: Final = 16
_FEW: Final = 4
"""Users who are counted as fast one by one, at half the price."""


class Counter(Protocol):
    """What the ledger needs of `scheduler.payments.counter.PaymentFailures`."""

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        """Count a failure once; None if a newer reset wiped it out."""
        ...

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        """Count one failure each of at most `MOST_TOGETHER` users; who is missing was not."""
        ...

    def reset(self, user_id: str, at: datetime, now: datetime) -> None:
        """Forget the failures up to a time."""
        ...


@dataclass(slots=True)
class Counted:
    """By message key: the user's count, what a newer reset wiped out, what could not be counted."""

    counts: dict[str, int] = field(default_factory=dict)
    superseded: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    def note(self, key: str, count: int | None) -> None:
        """Keep what the counter answered to a message."""
        if count is None:
            self.superseded.add(key)
        else:
            self.counts[key] = count

    def knows(self, key: str) -> bool:
        """Tell whether the counter answered to a message."""
        return key in self.counts or key in self.superseded


class PaymentLedger:
    """Counts and resets for a batch: users side by side, the messages of one user in order."""

    def __init__(self, counter: Counter) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - `Counted` needs none

        self._counter = counter
        self._pool = ThreadPoolExecutor(_PARALLEL)
        self._known: dict[str, Parsed] = {}
        self._counted = Counted()

    def apply(self, batch: Iterable[Parsed], now: datetime) -> Counted:
        """Count or reset for every message that has an effect on payments.

        A part of the last batch, as a transaction that runs again asks for, is answered from
        memory: the counter would say what all of it counted together. A message that was delivered
        again is not: a reset may have come in between.

        Raises:
            Exception: whatever the counter raised first. What was counted stays counted; the
                batch is tried again and counts nothing twice.
        """
        listed = list(batch)
        if any(self._known.get(parsed.key) is not parsed for parsed in listed):
            self._known = {}
            self._counted = self._apply(listed, now)
            if not self._counted.refused:
                self._known = {parsed.key: parsed for parsed in listed}
        return self._counted

    def _apply(self, batch: Iterable[Parsed], now: datetime) -> Counted:
        by_user: dict[str, list[Parsed]] = defaultdict(list)
        for parsed in batch:
            by_user[parsed.event.subject_id].append(parsed)
        counted = Counted()
        self._count_together(
            [ps[0] for ps in by_user.values() if _is_one_failure(ps)], now, counted
        )
        left = [ps for ps in by_user.values() if not counted.knows(ps[0].key)]
        for _ in self._pool.map(lambda ps: self._apply_user(ps, now, counted), left):
            pass
        return counted

    def _count_together(self, batch: Sequence[Parsed], now: datetime, counted: Counted) -> None:
        if len(batch) <= _FEW:
            return
        failures = [Failure(p.event.subject_id, p.key, p.event.occurred_at) for p in batch]
        starts = range(0, len(failures), MOST_TOGETHER)
        parts = [failures[start : start + MOST_TOGETHER] for start in starts]
        for answers in self._pool.map(lambda part: self._counter.count_together(part, now), parts):
            for key, count in answers.items():
                counted.note(key, count)

    def _apply_user(self, messages: list[Parsed], now: datetime, counted: Counted) -> None:
        for parsed in messages:
            try:
                self._apply_one(parsed, now, counted)
            except CountRefusedError as error:
                counted.refused[parsed.key] = str(error)
        _number([parsed.key for parsed in messages], counted.counts)

    def _apply_one(self, parsed: Parsed, now: datetime, counted: Counted) -> None:
        event = parsed.event
        if event.payment is PaymentEffect.RESET:
            self._counter.reset(event.subject_id, event.occurred_at, now)
            return
        count = self._counter.count(event.subject_id, parsed.key, event.occurred_at, now)
        counted.note(parsed.key, count)


def _is_one_failure(messages: Sequence[Parsed]) -> bool:
    return len(messages) == 1 and messages[0].event.payment is PaymentEffect.FAILURE


def _number(keys: list[str], counts: dict[str, int]) -> None:
    """Let the counts of one user rise by one, as they did when they were first counted.

    After a crash between count and commit the counter answers each of them with their total, and
    the user would be told three times that the service stops instead of being warned twice.
    """
    after: int | None = None
    for key in reversed(dict.fromkeys(keys)):
        if key in counts:
            after = counts[key] if after is None else max(1, min(counts[key], after - 1))
            counts[key] = after
