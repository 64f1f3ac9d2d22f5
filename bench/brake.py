"""Measures what the mass-failure brake costs, with its default limits, in fleets of several sizes.

    python -m bench.brake [--idle 0 --idle 1000000] [--rounds 7]

The same batches of device.failed run with the brake and with it switched off, in turns. They fail
a small part of the fleet, as in a disaster just below the limit.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bench.machine import watched
from bench.testbed import count_devices, running_testbed
from bench.warm_function import warm
from bench.workload import DEVICE_FAILED, invocations, seed

if TYPE_CHECKING:
    from bench.testbed import Spent, Testbed
    from bench.warm_function import WarmFunction
    from bench.workload import QueuedEvent

_BATCH: Final = 100
_EVENTS: Final = 1000
_ROWS_PER_STATEMENT: Final = 100_000
_TARGET: Final = 1.05
_OFF: Final = {"MASS_FAILURE_SHARE": "1"}

_IDLE: Final = """
    INSERT INTO devices (id, name, cpu_cores, memory_mb, storage_mb)
    SELECT CONCAT('idle-', seq), CONCAT('Phone ', seq), 4, 8192, 65536 FROM seq_{first}_to_{last}
"""


def main(
    idle: Annotated[list[int], typer.Option(help="Devices besides those that fail.")] = [  # noqa: B006 - Typer copies it
        0,
        100_000,
        1_000_000,
    ],
    rounds: Annotated[int, typer.Option(help="Rounds of each kind.")] = 7,
) -> None:
    """Measure and print; the exit status is 1 if the target is missed."""
    with watched(), running_testbed() as testbed:
        met = [_measure(testbed, devices, rounds) for devices in idle]
    raise typer.Exit(not all(met))


def _measure(testbed: Testbed, idle: int, rounds: int) -> bool:
    testbed.empty()
    # A fifth may fail within a minute: six times as many devices as fail in a run.
    with testbed.cursor() as cursor:
        began = seed(cursor, 6 * _EVENTS + 2 * (rounds + 1) * _EVENTS)
        for first in range(0, idle, _ROWS_PER_STATEMENT):
            last = min(first + _ROWS_PER_STATEMENT, idle) - 1
            cursor.execute(_IDLE.format(first=first, last=last))
    testbed.write_back()
    count_devices(testbed)
    off = replace(testbed, variables=_OFF)
    pairs: list[tuple[Spent, Spent]] = []
    service = DEVICE_FAILED.service
    with warm(service, testbed) as braked, warm(service, off) as unbraked:
        for number in range(rounds + 1):  # the first round connects and does not count
            some, others = (
                DEVICE_FAILED.events(range(at, at + _EVENTS), began)
                for at in (2 * number * _EVENTS, (2 * number + 1) * _EVENTS)
            )
            if number % 2:
                pairs.append((_run(testbed, braked, some), _run(testbed, unbraked, others)))
            else:
                other = _run(testbed, unbraked, some)
                pairs.append((_run(testbed, braked, others), other))
    counted = pairs[1:]
    ratio = median(on.seconds / off.seconds for on, off in counted)
    cpu = median(_cpu(on) / _cpu(off) for on, off in counted)
    per_second = _EVENTS / median(on.seconds for on, _ in counted)
    print(
        f"{idle:>10,} idle devices: {per_second:,.0f} a second,"
        f" {ratio:.2f} × the time and {cpu:.2f} × the CPU without the brake",
        flush=True,
    )
    return ratio <= _TARGET


def _run(testbed: Testbed, function: WarmFunction, events: list[QueuedEvent]) -> Spent:
    with testbed.cursor() as cursor:
        cursor.execute("DELETE FROM mass_failure_seconds")
    return function.run([*invocations(events, _BATCH)])


def _cpu(spent: Spent) -> float:
    return spent.function_cpu + spent.database_cpu


if __name__ == "__main__":
    typer.run(main)
