"""Leaves a provider alone for a while that fails again and again."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Final

from scheduler.outbox.retry_policy import ErrorClass

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES: Final = 3
THROTTLES: Final = 5
"""So many in a row, nothing having been accepted between, are an outage."""

OUTAGE_PAUSE: Final = 15.0
THROTTLE_PAUSE: Final = 1.0
"""Seconds. Rate limits count by the second."""


class Breaker:
    """Decides whether a provider is asked now; told by the threads that ask it.

    What waits meanwhile costs no attempt: in an outage only every 15 seconds one delivery is tried.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._asks_again_at = 0.0
        self._failures = 0
        self._throttles = 0

    @property
    def pause(self) -> float:
        """Return for how many more seconds the provider is to be left alone; 0 if it is not."""
        return max(0.0, self._asks_again_at - self._clock())

    @property
    def doubtful(self) -> bool:
        """Return whether the last we know of the provider is an outage: try one delivery first."""
        return self._failures >= FAILURES or self._throttles >= THROTTLES

    def note(self, trouble: ErrorClass | None) -> None:
        """Take notice of an answer; None and a lasting refusal both mean that it works.

        A busy recipient means nothing, or one user could have the provider left alone for all.
        """
        with self._lock:
            match trouble:
                case None | ErrorClass.PERMANENT:
                    self._failures = self._throttles = 0
                case ErrorClass.TRANSIENT:
                    self._failures += 1
                    if self.doubtful:
                        self._asks_again_at = self._clock() + OUTAGE_PAUSE
                case ErrorClass.THROTTLED if not self.pause:  # the rest was already under way
                    self._throttles += 1
                    seconds = OUTAGE_PAUSE if self.doubtful else THROTTLE_PAUSE
                    self._asks_again_at = self._clock() + seconds
