"""Limits how many deliveries are sent but not yet recorded, as TCP slow start limits packets.

These are the deliveries that are sent twice if the dispatcher is killed now.
"""

from __future__ import annotations

from threading import Lock, Semaphore
from typing import Final

INITIAL_SIZE: Final = 1
"""A dispatcher that is killed soon after each start sends at most one delivery per channel twice
each time."""

MAX_SIZE: Final = 50
"""About as many as are sent while the results of 50 ms are collected and recorded."""

_RECORDED_PER_INCREASE: Final = 10


class SendWindow:
    """A semaphore for sent, unrecorded deliveries; it grows with the number recorded."""

    def __init__(self, initial_size: int = INITIAL_SIZE, max_size: int = MAX_SIZE) -> None:
        self._semaphore = Semaphore(initial_size)
        self._lock = Lock()
        self._size = initial_size
        self._max_size = max_size
        self._recorded = 0

    @property
    def batch_size(self) -> int:
        """Return how many results to record at once: half the window, so that sending continues."""
        return max(1, self._size // 2)

    def acquire(self) -> None:
        """Wait until one more delivery may be sent."""
        self._semaphore.acquire()

    def release(self, count: int) -> None:
        """Release deliveries that are recorded, or were not sent after all."""
        with self._lock:
            before = self._recorded // _RECORDED_PER_INCREASE
            earned = (self._recorded + count) // _RECORDED_PER_INCREASE - before
            growth = min(earned, self._max_size - self._size)
            self._recorded += count
            self._size += growth
        if count + growth:
            self._semaphore.release(count + growth)
