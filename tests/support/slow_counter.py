"""A counter of failed payments that takes a second to answer, on a clock of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from scheduler import deadline
from tests.support.counter import FakeCounter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pytest

    from scheduler.payments.failure import Failure


class SlowCounter(FakeCounter):
    """Each answer takes a second, by which deadlines come nearer; transactions conflict."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.now = 0.0
        self.resets: list[datetime] = []
        monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: self.now))

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        """Count a failure."""
        self.now += 1
        return super().count(user_id, message_id, at, now)

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        """Count nothing: another writer interferes."""
        del failures, now
        self.now += 1
        return {}

    def reset(self, user_id: str, at: datetime, now: datetime) -> int:
        """Forget failures, and record the call."""
        self.now += 1
        self.resets.append(at)
        return super().reset(user_id, at, now)
