"""Drains a preloaded queue: through the event source mapping, and message by message."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import pika

from bench.database_state import require_same, state
from bench.testbed import Spent
from bench.warm_function import warm
from bench.workload import DEVICE_FAILED, USER_SUSPENDED, Workload, seed
from bench.yardsticks import pika_batcher, pika_consumer
from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.database_state import StateDigest
    from bench.testbed import Testbed
    from bench.workload import QueuedEvent

    Drain = Callable[[Testbed, Workload, int], Spent]

_COMPARED: Final = 100
"""Events after which the contenders must have left the same state."""
_ROUNDS: Final = 3
_PER_TRANSACTION: Final = 500

OURS: Final = "scheduler"
BATCHER: Final = "pika + PyMySQL in batches of 100"
"""Only device.failed is written by hand in this way."""
PIKA: Final = "pika + PyMySQL"
FASTSTREAM: Final = "FastStream"


def _ours(testbed: Testbed, workload: Workload, count: int) -> Spent:
    with warm(workload.service, testbed) as function:
        return function.drain(workload.queue.name, count)


def _pika(testbed: Testbed, workload: Workload, count: int) -> Spent:
    with testbed.measured() as spent:
        pika_consumer.drain(testbed, workload.queue.name, count)
    return spent[0]


def _batcher(testbed: Testbed, workload: Workload, count: int) -> Spent:
    with testbed.measured() as spent:
        pika_batcher.drain(testbed, workload.queue.name, count)
    return spent[0]


def _faststream(testbed: Testbed, workload: Workload, count: int) -> Spent:
    with testbed.measured() as spent:
        # In its own process: a second event loop in the testbed's process crashed CPython 3.13.0.
        done = subprocess.run(  # noqa: S603 - our own module
            [
                *(sys.executable, "-m", "bench.yardsticks.faststream_consumer"),
                *(testbed.rabbitmq.url, testbed.mariadb.url, workload.queue.name, str(count)),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        seconds, cpu = map(float, done.stdout.split())
    return Spent(seconds, cpu, spent[0].database_cpu)


_CONTENDERS: Final[dict[str, Drain]] = {
    OURS: _ours,
    BATCHER: _batcher,
    PIKA: _pika,
    FASTSTREAM: _faststream,
}
_COUNTS: Final = {
    DEVICE_FAILED: {OURS: 5000, BATCHER: 5000, PIKA: 1000, FASTSTREAM: 1000},
    USER_SUSPENDED: {OURS: 1000, PIKA: 150, FASTSTREAM: 150},
}


def measure(testbed: Testbed) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rates of each contender by event, after comparing the states they leave.

    Raises:
        StateMismatchError: a contender left another state in the database.
    """
    for workload, counts in _COUNTS.items():
        _compare(testbed, workload, [name for name in counts if name != OURS])
        rounds = [
            {name: _run(testbed, workload, name, count)[0] for name, count in counts.items()}
            for _ in range(_ROUNDS)
        ]
        for name, count in counts.items():
            yield (
                f"{workload.name}: {name}",
                {
                    "per_second": median(count / each[name].seconds for each in rounds),
                    "releases_per_second": median(
                        workload.devices_each * count / each[name].seconds for each in rounds
                    ),
                    "consumer_cpu_us_per_event": median(
                        1e6 * each[name].function_cpu / count for each in rounds
                    ),
                    "database_cpu_us_per_event": median(
                        1e6 * each[name].database_cpu / count for each in rounds
                    ),
                },
            )


def _compare(testbed: Testbed, workload: Workload, names: Sequence[str]) -> None:
    expected = _run(testbed, workload, OURS, _COMPARED)[1]
    for name in names:
        require_same(expected, _run(testbed, workload, name, _COMPARED)[1], name)


def _run(testbed: Testbed, workload: Workload, name: str, count: int) -> tuple[Spent, StateDigest]:
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, count, workload.devices_each)
        preload(testbed.rabbitmq.url, workload.events(range(count), began))
        spent = _CONTENDERS[name](testbed, workload, count)
        return spent, state(cursor, began)


def preload(broker_url: str, events: Sequence[QueuedEvent]) -> None:
    """Publish events into their queues and wait until the broker has them."""
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        channel.tx_select()
        for number, event in enumerate(events, start=1):
            channel.basic_publish("", event.queue, event.body, event.properties)
            if number % _PER_TRANSACTION == 0:
                channel.tx_commit()
        channel.tx_commit()
