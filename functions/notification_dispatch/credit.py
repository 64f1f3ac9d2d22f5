"""How much may be sent before it is recorded: that is what a killed dispatcher sends twice."""

from __future__ import annotations

from threading import Lock, Semaphore
from typing import Final

FIRST: Final = 1
"""Of a dispatcher that has just begun: one that dies again and again doubles one delivery at most
each time, on each channel."""

MOST: Final = 50
"""As many as are sent in the 50 ms for which results are gathered, and while these are recorded."""

_EARNS_ONE: Final = 10


class Credit:
    """A number of deliveries that may be sent and not yet recorded; grows with what is recorded."""

    def __init__(self, first: int = FIRST, most: int = MOST) -> None:
        self._left = Semaphore(first)
        self._lock = Lock()
        self._granted = first
        self._most = most
        self._settled = 0

    @property
    def half(self) -> int:
        """Return how many are recorded at once at most: meanwhile the other half is sent."""
        return max(1, self._granted // 2)

    def take(self) -> None:
        """Wait until one more may be sent."""
        self._left.acquire()

    def give_back(self, count: int) -> None:
        """Take notice that so many are recorded, or were not sent after all."""
        with self._lock:
            earned = (self._settled + count) // _EARNS_ONE - self._settled // _EARNS_ONE
            more = min(earned, self._most - self._granted)
            self._settled += count
            self._granted += more
        if count + more:
            self._left.release(count + more)
