"""Brings the payments of a batch into DynamoDB before its transaction.

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

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.messaging.validate import Parsed

_PARALLEL: Final = 16


class Counter(Protocol):
    """What the ledger needs of `scheduler.payments.counter.PaymentFailures`."""

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        """Count a failure once; None if a newer reset wiped it out."""
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


class PaymentLedger:
    """Counts and resets for a batch: users side by side, the messages of one user in order."""

    def __init__(self, counter: Counter) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - `Counted` needs none

        self._counter = counter
        self._pool = ThreadPoolExecutor(_PARALLEL)
        self._known: frozenset[str] = frozenset()
        self._counted = Counted()

    def apply(self, batch: Iterable[Parsed], now: datetime) -> Counted:
        """Count or reset for every message that has an effect on payments.

        A part of the last batch, as a transaction that runs again asks for, is answered from
        memory: the counter would say what all of it counted together.

        Raises:
            Exception: whatever the counter raised first. What was counted stays counted; the
                batch is tried again and counts nothing twice.
        """
        listed = list(batch)
        keys = frozenset(parsed.key for parsed in listed)
        if not keys <= self._known:
            self._known = frozenset()
            self._counted = self._apply(listed, now)
            if not self._counted.refused:
                self._known = keys
        return self._counted

    def _apply(self, batch: Iterable[Parsed], now: datetime) -> Counted:
        by_user: dict[str, list[Parsed]] = defaultdict(list)
        for parsed in batch:
            by_user[parsed.event.subject_id].append(parsed)
        counted = Counted()
        for _ in self._pool.map(lambda ps: self._apply_user(ps, now, counted), by_user.values()):
            pass
        return counted

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
        if count is None:
            counted.superseded.add(parsed.key)
        else:
            counted.counts[parsed.key] = count


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
