"""Measures whether a long queue is drained as fast as a short one.

    python -m bench.drain [--messages 100000]

``device.failed`` through the event source mapping, as in `bench.end_to_end`: a short queue, the
long one, and a short one again, because the speed of the machine may have changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from bench.end_to_end import preload
from bench.machine import watched
from bench.testbed import running_testbed
from bench.warm_function import warm
from bench.workload import DEVICE_FAILED, seed

if TYPE_CHECKING:
    from bench.testbed import Testbed

_SHORT: Final = 5_000
_TARGET: Final = 0.95


def main(
    messages: Annotated[int, typer.Option(help="Messages in the long queue.")] = 100_000,
    short: Annotated[int, typer.Option(help="Messages in the short one.")] = _SHORT,
) -> None:
    """Measure and print; the exit status is 1 if the target is missed."""
    with watched(), running_testbed() as testbed:
        before, of_long, after = (_rate(testbed, count) for count in (short, messages, short))
    ratio = 2 * of_long / (before + after)
    print(f"{ratio:.2f} × the rate of a short queue (target ≥ {_TARGET})")
    raise typer.Exit(ratio < _TARGET)


def _rate(testbed: Testbed, count: int) -> float:
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, count)
    preload(testbed.rabbitmq.url, DEVICE_FAILED.events(range(count), began))
    testbed.write_back()
    with warm(DEVICE_FAILED.service, testbed) as function:
        spent = function.drain(DEVICE_FAILED.queue.name, count)
    print(
        f"{count:>9,} messages: {count / spent.seconds:,.0f} a second,"
        f" {1e6 * spent.function_cpu / count:.0f} µs of the function's and"
        f" {1e6 * spent.database_cpu / count:.0f} µs of the database's CPU an event",
        flush=True,
    )
    return count / spent.seconds


if __name__ == "__main__":
    typer.run(main)
