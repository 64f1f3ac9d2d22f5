"""The groups of dead letters, which several tabs of the console show."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, Final, TypeVar

from operations.errors import OpsError
from ops.long_queue import read_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.interface import Operations

LIST: Final = "dead-letters.list"
MAX_AGE_SECONDS: Final = 5.0
_WITH_LETTERS: Final = {"samples": 50}
MAX_WAIT_SECONDS: Final = 0.3
_T = TypeVar("_T")


class LetterGroups:
    """The groups of dead letters, read by one thread at a time, however many tabs ask.

    Reading takes all letters out of the queue and puts them back, which takes seconds if there are
    many. So a caller waits for a moment only, and then gets the groups that were read before.
    """

    def __init__(self, operations: Operations, clock: Callable[[], float] = time.monotonic) -> None:
        self._operations = operations
        self._clock = clock
        self._lock = threading.Lock()
        self._queue = threading.Lock()
        self._running: Future[dict[str, Any]] | None = None
        self._last: dict[str, Any] = {"groups": [], "complete": True, "at": None}
        self._depth: int | None = None
        self._reading = False
        self._read_at, self._ended_at = 0.0, -math.inf

    def read(self, depth: int | None, *, fresh: bool = False) -> dict[str, Any]:
        """Return the groups; raises as the operation does.

        ``reading`` tells that they are being read: call again for newer ones.

        Args:
            depth: how many letters the caller has seen in the queue; if it changed, they are read
                again.
            fresh: read them now, because letters were changed.
        """
        with self._lock:
            running = self._running
            if (
                running is None
                or (fresh and not _is_pending(running))
                or (running.done() and self._is_old(depth))
            ):
                self._depth, self._read_at = depth, self._clock()
                running = self._running = self._begin()
        if wait([running], MAX_WAIT_SECONDS).not_done:
            return {**self._last, "reading": True}
        with self._lock:
            if running is self._running and running.exception():
                self._running = None  # the next caller tries again
        self._last = running.result()
        return {**self._last, "reading": False}

    def alone(self, work: Callable[[], _T], patience: float | None = None) -> _T:
        """Do something with the letters while nothing else reads them, as it would miss some.

        Args:
            work: what to do.
            patience: how many seconds to wait for others; None for as long as they take.

        Raises:
            OpsError: others took longer; nothing was done.
        """
        if not self._queue.acquire(timeout=-1 if patience is None else patience):
            raise OpsError("the dead letters are being read or changed; try again")
        try:
            return work()
        finally:
            self._queue.release()

    def whole_depth(self, ready: int, since: float) -> int:
        """Return how many letters there are, given how many were ready in the queue.

        Letters that are being read are not ready; those known before then stand for them.

        Args:
            ready: the number of ready letters in the queue.
            since: when that number was requested, by the clock.
        """
        overlaps = self._reading or self._ended_at >= since
        return max(ready, self._depth or 0) if overlaps else ready

    def _begin(self) -> Future[dict[str, Any]]:
        """Read the groups in a thread, which Ctrl-C does not wait for."""
        future = Future[dict[str, Any]]()

        def read() -> None:
            future.set_running_or_notify_cancel()
            try:
                future.set_result(self._read_all())
            except Exception as error:  # noqa: BLE001 - raised to those who wait for the result
                future.set_exception(error)

        threading.Thread(target=self.alone, args=(read,), daemon=True).start()
        return future

    def _read_all(self) -> dict[str, Any]:
        self._reading = True
        try:
            return read_groups(self._operations, _WITH_LETTERS)
        finally:
            self._reading, self._ended_at = False, self._clock()

    def _is_old(self, depth: int | None) -> bool:
        return depth != self._depth or self._clock() - self._read_at >= MAX_AGE_SECONDS


def _is_pending(future: Future[dict[str, Any]]) -> bool:
    """Return whether a reading has not begun yet, so that it will see all earlier changes."""
    return not future.running() and not future.done()
