"""Processes that die: while they count a failed payment, or before they return."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from scheduler.pipeline.unidentified import UnidentifiedMessages
from tests.support.counter import FakeCounter

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@contextmanager
def dying_at_the_end() -> Iterator[None]:
    """Have functions die when all is committed and published, but before they return."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnidentifiedMessages, "end", _die)
        yield


def _die(_: UnidentifiedMessages) -> None:
    raise CrashError
