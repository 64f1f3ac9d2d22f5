"""Time that passes when a test says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.world import NOW

if TYPE_CHECKING:
    from datetime import datetime, timedelta


class Clock:
    """A clock that stands at `NOW` until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """Return the present."""
        return self.now

    def monotonic(self) -> float:
        """Return the present as seconds."""
        return self.now.timestamp()

    def wait(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span
