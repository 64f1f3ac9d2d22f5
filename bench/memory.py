"""Measures what the functions' memory sizes cost, in time and money.

    make bench-memory

Lambda gives a function CPU in proportion to its memory: a whole core with 1,769 MB, which is all
that one thread can use. So an invocation takes its CPU divided by that share, and what it waits
for others. CPU, waiting and peak memory are measured here; times and prices at each size are
calculated, as if a core of this machine were one of Lambda's.
"""

from __future__ import annotations

import json
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import psutil
import typer

from bench.api import api_event
from bench.machine import watched
from bench.notifications import DueNotification, insert
from bench.testbed import running_testbed
from bench.workload import DEVICE_FAILED, PAYMENT_FAILED, USER_SUSPENDED, invocations, seed
from local.environment import websocket_environment
from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import deployed
from local.template import deployed_function
from ops.prices import PRICES
from scheduler.domain.notices import Channel
from tests.sam.built import SERVICES, function_of
from tests.sam.importing import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.testbed import Testbed
    from bench.workload import Workload

_SIZES: Final = (256, 512, 1024, 1769)
_CORE_MB: Final = 1769
_MB_PER_GB: Final = 1024
_MILLION: Final = 1_000_000
_PRICES: Final = PRICES["us-east-1"]
_STARTS: Final = 3
_DISPATCHED: Final = 10
_SUBJECTS: Final = 10_000


class InvocationCost(NamedTuple):
    """Seconds of CPU, and of waiting for others, of an invocation; MB that the process had used."""

    what: str
    cpu: float
    waiting: float
    peak_mb: float

    def seconds(self, size: int) -> float:
        """Return how long it takes with a memory size in MB."""
        return self.cpu * max(1.0, _CORE_MB / size) + self.waiting

    def price(self, size: int) -> float:
        """Return dollars for a million invocations."""
        of_one = self.seconds(size) * size / _MB_PER_GB * _PRICES.lambda_gb_second_arm
        return _PRICES.lambda_million_requests + _MILLION * of_one


def main(rounds: Annotated[int, typer.Option(help="Invocations of each kind.")] = 40) -> None:
    """Measure and print as Markdown."""
    with watched(), running_testbed() as testbed:
        print("| invocation | CPU ms | waiting ms | peak MB | " + _columns())
        print("|---" * (4 + len(_SIZES)) + "|")
        for found in _measure(testbed, rounds):
            print(_row(found), flush=True)


def _measure(testbed: Testbed, rounds: int) -> Iterator[InvocationCost]:
    for service in SERVICES:
        statement = f"import {service.replace('-', '_')}.app"
        cpu = min(_cpu_seconds(function_of(service), statement) for _ in range(_STARTS))
        yield InvocationCost(f"init of {service} ({_size(service)} MB)", cpu, 0, 0)
    for workload in (DEVICE_FAILED, USER_SUSPENDED, PAYMENT_FAILED):
        for size in (1, 100):
            yield _event(testbed, workload, size, max(1, rounds // (10 if size > 1 else 1)))
    yield _request(testbed, rounds)
    yield _dispatch(testbed, rounds)
    yield _housekeeping(testbed, rounds)


def _cpu_seconds(function: str, statement: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(function, statement)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _event(testbed: Testbed, workload: Workload, size: int, rounds: int) -> InvocationCost:
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, size * (rounds + 1), workload.devices_each)
    batches = [*invocations(workload.events(range(size * (rounds + 1)), began), size)]
    numbers = iter(batches)
    return _spent(
        testbed, workload.service, f"{workload.name}, batch {size}", rounds, lambda: next(numbers)
    )


def _request(testbed: Testbed, rounds: int) -> InvocationCost:
    testbed.empty()
    with testbed.cursor() as cursor:
        seed(cursor, _SUBJECTS)
        cursor.execute("INSERT INTO users (id, max_devices) VALUES ('caller', 1000000)")
        cursor.execute("DELETE FROM allocations WHERE active_device_id IS NOT NULL")
        cursor.execute("UPDATE devices SET status = 'available'")
    body = json.dumps(api_event("POST", "/api/allocations", "caller", {"userId": "caller"}))
    return _spent(testbed, "allocation-api", "POST /api/allocations", rounds, body.encode)


def _dispatch(testbed: Testbed, rounds: int) -> InvocationCost:
    testbed.empty()
    with testbed.cursor() as cursor:
        cursor.execute(
            "INSERT INTO users (id, max_devices, email) VALUES ('reader', 1, 'r@example.com')"
        )

        def next_event() -> bytes:
            due = (DueNotification("reader", f"d{n}", (Channel.EMAIL,)) for n in range(_DISPATCHED))
            insert(cursor, due)
            return b"{}"

        what = f"dispatch of {_DISPATCHED} e-mails"
        return _spent(testbed, "notification-dispatch", what, rounds, next_event)


def _housekeeping(testbed: Testbed, rounds: int) -> InvocationCost:
    testbed.empty()
    with testbed.cursor() as cursor:
        seed(cursor, _SUBJECTS)
    what = f"housekeeping, {_SUBJECTS:,} devices"
    return _spent(testbed, "housekeeping", what, min(rounds, 10), lambda: b"{}")


def _spent(
    testbed: Testbed, service: str, what: str, rounds: int, next_event: Callable[[], bytes]
) -> InvocationCost:
    """Return the mean cost of invocations; the first one connects and does not count."""
    cpu = seconds = 0.0
    with _started(testbed, service, next_event()) as (environment, process):
        for _ in range(rounds):
            event = next_event()
            with testbed.measured(process) as spent:
                environment.invoke(event)
            cpu += spent[0].function_cpu / rounds
            seconds += spent[0].seconds / rounds
        peak = _peak_mb(process)
    return InvocationCost(what, cpu, max(0.0, seconds - cpu), peak)


@contextmanager
def _started(
    testbed: Testbed, service: str, event: bytes
) -> Iterator[tuple[LambdaEnvironment, psutil.Process]]:
    variables = {**testbed.environment, **websocket_environment(1)}
    environment = LambdaEnvironment(deployed(service, variables, testbed.logs), service)
    before = set(psutil.Process().children())
    environment.invoke(event)
    (process,) = set(psutil.Process().children()) - before
    try:
        yield environment, process
    finally:
        environment.close()


def _peak_mb(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


def _size(service: str) -> int:
    return int(deployed_function(service)["MemorySize"])


def _columns() -> str:
    return " | ".join(f"{size:,} MB: ms, $ a million" for size in _SIZES) + " |"


def _row(cost: InvocationCost) -> str:
    cells = (f"{1000 * cost.seconds(size):,.0f}, {cost.price(size):,.2f}" for size in _SIZES)
    peak = f"{cost.peak_mb:.0f}" if cost.peak_mb else ""
    measured = f"{1000 * cost.cpu:,.1f} | {1000 * cost.waiting:,.1f} | {peak}"
    return f"| {cost.what} | {measured} | {' | '.join(cells)} |"


if __name__ == "__main__":
    typer.run(main)
