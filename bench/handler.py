"""Prebuilt aws:rmq events → handler → committed."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.ours import warm
from bench.state import require_same, state
from bench.workload import (
    ALL,
    DEVICE_FAILED,
    PAYMENT_FAILED,
    USER_SUSPENDED,
    Workload,
    invocations,
    seed,
)
from bench.yardsticks import bare_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.ours import WarmFunction
    from bench.stand import Spent, Stand
    from bench.workload import Published

BATCHES: Final = {1: 200, 10: 100, 100: 40, 1000: 8}
"""How many batches of which size are measured."""

_FEWER: Final = {
    USER_SUSPENDED: {1: 100, 10: 50, 100: 10, 1000: 2},  # ten devices each
    PAYMENT_FAILED: {1: 50, 10: 20, 100: 5, 1000: 1},  # moto takes milliseconds for each
}
_ROUNDS: Final = 5
_IN_A_ROUND: Final = 2_000
_COMPARED: Final = 300
_BATCH: Final = 100


def measure(stand: Stand) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the figures of each event and batch size."""
    for workload in (DEVICE_FAILED, USER_SUSPENDED, PAYMENT_FAILED):
        for size, batches in _FEWER.get(workload, BATCHES).items():
            spent = _spent(stand, workload, size, size * batches)
            yield f"{workload.name}, batch {size}", _figures(spent, size * batches)
    yield "all 15 events, batch 100", _mix(stand)


def against_bare_sql(stand: Stand) -> dict[str, Any]:
    """Return events per second of handler and bare SQL, and the median ratio, round by round."""
    with warm(DEVICE_FAILED.service, stand) as function:
        _round(stand, function)  # connects
        rounds = [_round(stand, function) for _ in range(_ROUNDS)]
    return {
        "handler_per_second": median(_IN_A_ROUND / ours.seconds for ours, _ in rounds),
        "bare_sql_per_second": median(_IN_A_ROUND / bare.seconds for _, bare in rounds),
        "ratio": median(bare.seconds / ours.seconds for ours, bare in rounds),
        "ratio_of_database_cpu": median(b.database_cpu / o.database_cpu for o, b in rounds),
    }


def compare_states(stand: Stand) -> None:
    """Make sure that bare SQL writes what the handler writes.

    Raises:
        DifferentStateError: it does not.
    """
    found = []
    for contender in (_ours, _bare_sql):
        stand.empty()
        with stand.cursor() as cursor:
            began = seed(cursor, _COMPARED)
            contender(stand, DEVICE_FAILED.events(range(_COMPARED), began))
            found.append(state(cursor, began))
    require_same(found[0], found[1], "bare SQL")


def _ours(stand: Stand, events: list[Published]) -> None:
    with warm(DEVICE_FAILED.service, stand) as function:
        function.run([*invocations(events, _BATCH)])


def _round(stand: Stand, function: WarmFunction) -> tuple[Spent, Spent]:
    ours = function.run([*invocations(_fresh(stand, _IN_A_ROUND), _BATCH)])
    return ours, _bare_sql(stand, _fresh(stand, _IN_A_ROUND))


def _fresh(stand: Stand, count: int) -> list[Published]:
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, count)
    return DEVICE_FAILED.events(range(count), began)


def _bare_sql(stand: Stand, events: list[Published]) -> Spent:
    with stand.cursor() as cursor:
        ready = bare_sql.ready(cursor, events, _BATCH)
        with stand.measured() as spent:
            bare_sql.run(cursor, ready)
        return spent[0]


def _spent(stand: Stand, workload: Workload, size: int, count: int) -> Spent:
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, size + count, workload.devices_each)
    first, *batches = invocations(workload.events(range(size + count), began), size)
    with warm(workload.service, stand) as function:
        function.run([first])  # connects
        return function.run(batches)


def _mix(stand: Stand) -> dict[str, Any]:
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, len(ALL) * _BATCH)
    total = [0.0, 0.0, 0.0]
    for family in {workload.service for workload in ALL}:
        with warm(family, stand) as function:
            for number, workload in enumerate(ALL):
                if workload.service == family:
                    subjects = range(number * _BATCH, (number + 1) * _BATCH)
                    spent = function.run([*invocations(workload.events(subjects, began), _BATCH)])
                    total = [a + b for a, b in zip(total, spent, strict=True)]
    return _figures(type(spent)(*total), len(ALL) * _BATCH)


def _figures(spent: Spent, count: int) -> dict[str, Any]:
    return {
        "events": count,
        "per_second": count / spent.seconds,
        "function_cpu_us_per_event": 1e6 * spent.function_cpu / count,
        "database_cpu_us_per_event": 1e6 * spent.database_cpu / count,
    }
