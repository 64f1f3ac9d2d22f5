"""A counter of failed payments whose process dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.counter import FakeCounter

if TYPE_CHECKING:
    from datetime import datetime


class CrashError(BaseException):
    """The process dies; a BaseException, because no `except Exception` may catch it."""


class CrashingCounter(FakeCounter):
    """A counter whose process dies after some of its counts."""

    def __init__(self) -> None:
        super().__init__()
        self.crashes = 0

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        found = super().count(user_id, message_id, at, now)
        if self.crashes:
            self.crashes -= 1
            raise CrashError
        return found
