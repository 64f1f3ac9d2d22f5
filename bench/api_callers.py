"""Measures allocation by several callers at once, each with a handler in a process of its own.

That is how API Gateway and Lambda run them: an environment handles one request at a time. The
callers do not pause, so from a few of them on, the figures show how long a request waits for CPU.
"""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier

_START_TIMEOUT: Final = 300
"""Seconds until all callers are warm; on few cores, fifty of them take long to start."""


class CallersResult(NamedTuple):
    """Milliseconds of each allocation, and allocations and releases a second, of all callers."""

    allocate: list[float]
    per_second: float


def measure(callers: int, rounds: int, start: Callable[[], Callable[[], float]]) -> CallersResult:
    """Let callers allocate and release devices at once.

    Args:
        callers: the number of processes.
        rounds: the number of allocations of all of them together.
        start: called in each process; returns what allocates and releases a device, and returns
            the milliseconds of the allocation. It must be picklable.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.api"])
    barrier, answers = context.Barrier(callers + 1), context.SimpleQueue()
    each = rounds // callers
    processes = [
        context.Process(target=_call, args=(start, each, barrier, answers), daemon=True)
        for _ in range(callers)
    ]
    for process in processes:
        process.start()
    barrier.wait(_START_TIMEOUT)
    started = time.perf_counter()
    allocate = [milliseconds for _ in processes for milliseconds in answers.get()]
    seconds = time.perf_counter() - started
    for process in processes:
        process.join()
    return CallersResult(allocate, 2 * len(allocate) / seconds)


def _call(
    start: Callable[[], Callable[[], float]],
    rounds: int,
    barrier: Barrier,
    answers: SimpleQueue[list[float]],
) -> None:
    once = start()
    barrier.wait(_START_TIMEOUT)
    answers.put([once() for _ in range(rounds)])
