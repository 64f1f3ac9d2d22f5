"""Runs things at the same time, and waits for what others do."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DEADLINE_SECONDS: Final = 90
"""Only what fails lasts that long; a busy machine may need a good part of it."""


def together(*actions: Callable[[], T]) -> list[T]:
    """Run each action in a thread of its own, all starting at once; return what they return.

    Raises:
        Exception: what the first failing one raised, after all have ended.
    """
    barrier = Barrier(len(actions))

    def run(action: Callable[[], T]) -> T:
        barrier.wait(DEADLINE_SECONDS)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        futures = [pool.submit(run, action) for action in actions]
    return [future.result() for future in futures]


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition holds; fail after `DEADLINE_SECONDS`."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.005)
