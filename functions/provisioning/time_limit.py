"""A limit for a block of code, wherever in it the time is spent."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt the block when its time is over. Main thread only, where Lambda runs handlers.

    Raises:
        TimeoutError: in the block, whatever it waits for.
    """

    def interrupt(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"not done after {seconds:.0f} s; is the network open to both servers?")

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
