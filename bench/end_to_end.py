"""A preloaded queue, drained: through the event source mapping, and message after message."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.ours import warm
from bench.preload import preload
from bench.stand import Spent
from bench.state import require_same, state
from bench.workload import DEVICE_FAILED, USER_SUSPENDED, Workload, seed
from bench.yardsticks import fast_stream, plain_pika

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.stand import Stand
    from bench.state import State

    Drain = Callable[[Stand, Workload, int], Spent]

_COMPARED: Final = 100
_ROUNDS: Final = 3

OURS: Final = "scheduler"
PIKA: Final = "pika + PyMySQL"
FASTSTREAM: Final = "FastStream"


def _ours(stand: Stand, workload: Workload, count: int) -> Spent:
    with warm(workload.service, stand) as function:
        return function.drain(workload.queue.name, count)


def _pika(stand: Stand, workload: Workload, count: int) -> Spent:
    with stand.measured() as spent:
        plain_pika.drain(stand, workload.queue.name, count)
    return spent[0]


def _faststream(stand: Stand, workload: Workload, count: int) -> Spent:
    with stand.measured() as spent:
        seconds, cpu = fast_stream.drain(stand, workload.queue.name, count)
    return Spent(seconds, cpu, spent[0].database_cpu)


_CONTENDERS: Final[dict[str, Drain]] = {OURS: _ours, PIKA: _pika, FASTSTREAM: _faststream}
_COUNTS: Final = {
    DEVICE_FAILED: {OURS: 5000, PIKA: 1000, FASTSTREAM: 1000},
    USER_SUSPENDED: {OURS: 1000, PIKA: 150, FASTSTREAM: 150},
}


def measure(stand: Stand) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rates of all contenders for each event, after their states were compared.

    Raises:
        DifferentStateError: a contender did not do the same work.
    """
    for workload, counts in _COUNTS.items():
        _compare(stand, workload)
        rounds = [
            {name: _run(stand, workload, name, counts[name])[0] for name in _CONTENDERS}
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


def _compare(stand: Stand, workload: Workload) -> None:
    expected = _run(stand, workload, OURS, _COMPARED)[1]
    for name in (PIKA, FASTSTREAM):
        require_same(expected, _run(stand, workload, name, _COMPARED)[1], name)


def _run(stand: Stand, workload: Workload, name: str, count: int) -> tuple[Spent, State]:
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, count, workload.devices_each)
        preload(stand.rabbitmq.url, workload.events(range(count), began))
        spent = _CONTENDERS[name](stand, workload, count)
        return spent, state(cursor, began)
