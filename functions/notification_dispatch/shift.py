"""One invocation: it ends when its time is up, or when nobody has anything left to do."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Condition
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scheduler.pipeline.deadline import Deadline

LONGEST: Final = 40.0
"""Seconds in which new work is begun."""

LONGEST_SEND: Final = 25.0
"""Seconds that what was begun last may take: all timeouts of one delivery added up.

A frame has four of six seconds: the user's connections are looked up, frames are posted, then the
last one, and a connection that is gone is removed.
"""

POLL: Final = 0.05
"""Seconds after which who found nothing looks again while others are still busy: a nudge that came
meanwhile waits behind this invocation."""


class Shift:
    """What the workers of one invocation share."""

    def __init__(
        self, deadline: Deadline, workers: int, longest_send: float = LONGEST_SEND
    ) -> None:
        self._ends_at = min(deadline.at, time.monotonic() + LONGEST)
        self._longest_send = longest_send
        self._changed = Condition()
        self._busy = workers

    @property
    def over(self) -> bool:
        """Return whether nothing new should be begun."""
        return time.monotonic() >= self._ends_at

    @property
    def lease(self) -> timedelta:
        """Return how long a claim must last so that it outlives everything sent in this shift."""
        left = max(0.0, self._ends_at - time.monotonic())
        return timedelta(seconds=left + self._longest_send)

    def rest(self) -> bool:
        """Wait a moment for new work; return False when there is none for anybody, or no time."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._busy, POLL)
            if not self._busy or self.over:
                return False
            self._busy += 1
            return True

    def pause(self, seconds: float) -> None:
        """Wait, being busy: others go on meanwhile."""
        left = max(0.0, self._ends_at - time.monotonic())
        time.sleep(min(seconds, left))

    def leave(self) -> None:
        """Go home before the end: the others need not wait."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()
