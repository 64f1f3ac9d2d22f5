"""What the workers of one invocation share: its end, and whether any of them is still busy."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta
from threading import Condition
from typing import TYPE_CHECKING, Final

from scheduler.outbox.delivery import DeliveryOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.deadline import Deadline
    from scheduler.domain.notices import Channel
    from scheduler.outbox.delivery import DeliveryResult

MAX_WORK_SECONDS: Final = 40.0
"""How long new work is started."""

MAX_SEND_SECONDS: Final = 25.0
"""How long the delivery that was started last may take: the sum of all timeouts of one delivery.

A WebSocket delivery makes up to four calls of six seconds: query the user's connections, post
frames, post the last frame, delete a connection that is gone.
"""

POLL_SECONDS: Final = 0.05
"""How often a worker without work looks again while others are busy: a nudge that arrives meanwhile
waits until this invocation ends."""


class Invocation:
    """Ends when its time is up, or when no worker has anything left to do. Thread-safe."""

    def __init__(
        self, deadline: Deadline, workers: int, max_send_seconds: float = MAX_SEND_SECONDS
    ) -> None:
        self._ends_at = min(deadline.at, time.monotonic() + MAX_WORK_SECONDS)
        self._max_send_seconds = max_send_seconds
        self._changed = Condition()
        self._busy = workers
        self.delays: defaultdict[Channel, list[float]] = defaultdict(list)
        """Seconds from each notification to its delivery; a channel's worker adds to its own."""

    def measure(self, results: Iterable[DeliveryResult], now: datetime) -> None:
        """Add the delays of deliveries that were sent, except those that were held back.

        Deliveries to users with quiet hours, and to users who get a digest, are late on purpose.
        """
        for result in results:
            one = result.delivery
            waits = one.stands_for > 1 or one.recipient.quiet_hours
            if result.outcome is DeliveryOutcome.SENT and not waits:
                self.delays[one.channel].append((now - one.created_at).total_seconds())

    @property
    def time_is_up(self) -> bool:
        """Return whether no new work may be begun."""
        return time.monotonic() >= self._ends_at

    @property
    def lease(self) -> timedelta:
        """Return how long a claim must last to outlive every delivery of this invocation."""
        return timedelta(seconds=self._seconds_left() + self._max_send_seconds)

    def wait_for_work(self) -> bool:
        """Wait `POLL_SECONDS`; return False if no worker is busy any more or the time is up."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._busy, POLL_SECONDS)
            if not self._busy or self.time_is_up:
                return False
            self._busy += 1
            return True

    def sleep(self, seconds: float) -> None:
        """Sleep as a busy worker, at most until the time is up."""
        time.sleep(min(seconds, self._seconds_left()))

    def leave(self) -> None:
        """Leave early so that other workers stop waiting for this one."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _seconds_left(self) -> float:
        return max(0.0, self._ends_at - time.monotonic())
