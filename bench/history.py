"""Measures a batch with many rows of history against none.

    python -m bench.history [--rows 10000000] [--buffer-pool 2560M]

`make bench` does so with up to a million rows. Ten million need about 15 GB of disk, and half an
hour to insert.
"""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bench.machine import watched
from bench.scale import NO_HISTORY, rows_of_history
from bench.testbed import DEFAULT_POOL, running_testbed

_TARGET: Final = 1.1


def main(
    rows: Annotated[int, typer.Option(help="Old rows in each table that grows.")] = 10_000_000,
    buffer_pool: Annotated[str, typer.Option(help="Memory of the database.")] = DEFAULT_POOL,
) -> None:
    """Measure and print; the exit status is 1 if the target is missed."""
    seconds = {}
    with watched(), running_testbed(buffer_pool) as testbed:
        for name, figures in rows_of_history(testbed, (0, rows)):
            seconds[name] = figures["seconds"]
            cpu = figures["database_cpu_us_per_event"]
            print(f"{name}: {seconds[name]:.4f} s, {cpu:.0f} µs of the database's CPU an event")
    none, many, again = seconds.values()
    ratio = 2 * many / (none + again)
    print(f"{ratio:.2f} × the time of {NO_HISTORY} (target ≤ {_TARGET})")
    raise typer.Exit(ratio > _TARGET)


if __name__ == "__main__":
    typer.run(main)
