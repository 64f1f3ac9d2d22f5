"""Stops sending to a provider that keeps failing."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Final

from scheduler.aws_errors import ErrorClass

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURE_THRESHOLD: Final = 3
THROTTLE_THRESHOLD: Final = 5
"""This many consecutive errors, with nothing accepted in between, count as an outage. Of the errors
of one user only the first counts, unless the provider is unreachable."""

OUTAGE_PAUSE_SECONDS: Final = 15.0
THROTTLE_PAUSE_SECONDS: Final = 1.0
"""Short, because providers' rate limits are per second."""


class CircuitBreaker:
    """Decides whether to send to a provider now. Thread-safe.

    Deliveries that wait meanwhile use up no attempt: during an outage only one delivery is tried
    every 15 seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._closes_at = 0.0
        self._failures = 0
        self._failed_users: set[str] = set()
        self._throttles = 0

    @property
    def pause(self) -> float:
        """Return the seconds for which nothing may be sent; 0 if sending is allowed."""
        return max(0.0, self._closes_at - self._clock())

    @property
    def tripped(self) -> bool:
        """Return whether the last attempts were an outage.

        After the pause the breaker is half-open: send one delivery first.
        """
        failures = self._failures + len(self._failed_users)
        return failures >= FAILURE_THRESHOLD or self._throttles >= THROTTLE_THRESHOLD

    def record(
        self, error_class: ErrorClass | None, user_id: str = "", pause_seconds: float = 0.0
    ) -> None:
        """Record a response; None is success. A permanent error also shows that the provider works.

        One missing response is an outage already: whatever is sent now may arrive, and is sent
        again. A busy recipient counts for nothing, and other errors of a user count once: one user
        must not stop sending to all others.

        Args:
            error_class: the class of the error.
            user_id: the recipient.
            pause_seconds: after a missing response, the least time before the next attempt.
        """
        with self._lock:
            match error_class:
                case None | ErrorClass.PERMANENT:
                    self._failures = self._throttles = 0
                    self._failed_users.clear()
                case ErrorClass.UNCERTAIN:
                    self._failures = FAILURE_THRESHOLD
                    self._closes_at = self._clock() + max(OUTAGE_PAUSE_SECONDS, pause_seconds)
                case ErrorClass.TRANSIENT | ErrorClass.UNREACHABLE:
                    if error_class is ErrorClass.UNREACHABLE:
                        self._failures += 1
                    else:
                        self._failed_users.add(user_id)
                    if self.tripped:
                        self._closes_at = self._clock() + OUTAGE_PAUSE_SECONDS
                case ErrorClass.THROTTLED if not self.pause:  # the others were already in flight
                    self._throttles += 1
                    seconds = OUTAGE_PAUSE_SECONDS if self.tripped else THROTTLE_PAUSE_SECONDS
                    self._closes_at = self._clock() + seconds
