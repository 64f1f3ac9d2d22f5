"""A counter of failed payments in memory."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.domain.guard import latest
from scheduler.payments.failure import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.payments.failure import Failure


@dataclass(slots=True)
class _Item:
    expires_at: datetime
    failures: dict[str, datetime] = field(default_factory=dict)
    last_reset_at: datetime | None = None


class FakeCounter:
    """Implements `scheduler.payments.ledger.PaymentCounter` with plain conditions under one lock.

    The tests in ``tests/integration/payments/test_counter.py`` run on it and on DynamoDB.
    """

    def __init__(self, ttl: timedelta = timedelta(days=7)) -> None:
        self._ttl = ttl
        self._items: dict[str, _Item] = {}
        self._lock = threading.Lock()

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        """Count a failure once; None if a newer reset wiped it out."""
        with self._lock:
            item = self._alive(user_id, now) or _Item(now)
            if message_id in item.failures:
                return len(item.failures)
            if item.last_reset_at and item.last_reset_at > latest(at):
                return None
            kept = sorted([*item.failures.items(), (message_id, at)], key=lambda one: one[::-1])
            if message_id not in (newest := dict(kept[-MAX_COUNT:])):
                return len(item.failures)
            item.failures = newest
            item.expires_at = now + self._ttl
            self._items[user_id] = item
            return len(item.failures)

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        """Count failures of many users."""
        return {one.message_id: self.count(*one, now) for one in failures}

    def reset(self, user_id: str, at: datetime, now: datetime) -> int:
        """Forget the failures up to ``at``; those after it stay. Older than a reset: nothing."""
        with self._lock:
            item = self._alive(user_id, now) or _Item(now + self._ttl)
            if item.last_reset_at and item.last_reset_at > latest(at):
                return len(item.failures)
            kept = {id_: failed for id_, failed in item.failures.items() if failed > latest(at)}
            at = max(at, item.last_reset_at or at)
            expires_at = item.expires_at if kept else now + self._ttl
            self._items[user_id] = _Item(expires_at, kept, at)
            return len(kept)

    def current(self, user_id: str, now: datetime) -> int:
        """Return a user's count; an expired one is 0."""
        with self._lock:
            item = self._alive(user_id, now)
            return len(item.failures) if item else 0

    def _alive(self, user_id: str, now: datetime) -> _Item | None:
        item = self._items.get(user_id)
        expired = item and int(item.expires_at.timestamp()) <= int(now.timestamp())
        return None if expired else item
