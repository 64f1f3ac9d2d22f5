"""Measures a warm handler: from a prebuilt aws:rmq event to the commit."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final, cast

from bench.database_state import require_same, state
from bench.warm_function import warm
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

    from bench.testbed import Spent, Testbed
    from bench.warm_function import WarmFunction
    from bench.workload import QueuedEvent
    from scheduler.database.wire import WireConnection

BATCHES: Final = {1: 200, 10: 100, 100: 40, 1000: 8}
"""Number of batches by batch size."""

_FEWER: Final = {
    USER_SUSPENDED: {1: 100, 10: 50, 100: 10, 1000: 2},  # ten devices each
    PAYMENT_FAILED: {1: 50, 10: 20, 100: 5, 1000: 1},  # moto needs milliseconds for each
}
_ROUNDS: Final = 5
_EVENTS_PER_ROUND: Final = 2_000
_COMPARED: Final = 300
_BATCH: Final = 100


def measure(testbed: Testbed) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the figures of each event and batch size."""
    for workload in (DEVICE_FAILED, USER_SUSPENDED, PAYMENT_FAILED):
        for size, batches in _FEWER.get(workload, BATCHES).items():
            spent = _spent(testbed, workload, size, size * batches)
            yield f"{workload.name}, batch {size}", _figures(spent, size * batches)
    yield f"all {len(ALL)} events, batch 100", _mix(testbed)


def against_bare_sql(testbed: Testbed, size: int) -> dict[str, Any]:
    """Return events per second of the handler and of bare SQL, and the median ratios by round."""
    with warm(DEVICE_FAILED.service, testbed) as function:
        _round(testbed, function, size)  # connects
        rounds = [_round(testbed, function, size) for _ in range(_ROUNDS)]

    def per_second(contender: str) -> float:
        return median(_EVENTS_PER_ROUND / one[contender].seconds for one in rounds)

    return {
        "handler_per_second": per_second("handler"),
        "text_per_second": per_second("text"),
        "bulk_per_second": per_second("bulk"),
        "ratio_to_text": median(one["text"].seconds / one["handler"].seconds for one in rounds),
        "ratio_to_bulk": median(one["bulk"].seconds / one["handler"].seconds for one in rounds),
        "ratio_of_database_cpu": median(
            one["text"].database_cpu / one["handler"].database_cpu for one in rounds
        ),
    }


def compare_states(testbed: Testbed) -> None:
    """Check that bare SQL leaves the same state as the handler.

    Raises:
        StateMismatchError: it leaves another one.
    """
    found = []
    for contender in (_ours, _text, _bulk):
        testbed.empty()
        with testbed.cursor() as cursor:
            began = seed(cursor, _COMPARED)
            contender(testbed, DEVICE_FAILED.events(range(_COMPARED), began))
            found.append(state(cursor, began))
    require_same(found[0], found[1], "bare SQL")
    require_same(found[0], found[2], "bare SQL by the bulk protocol")


def _ours(testbed: Testbed, events: list[QueuedEvent]) -> None:
    with warm(DEVICE_FAILED.service, testbed) as function:
        function.run([*invocations(events, _BATCH)])


def _round(testbed: Testbed, function: WarmFunction, size: int) -> dict[str, Spent]:
    ours = function.run([*invocations(_fresh(testbed, _EVENTS_PER_ROUND), size)])
    return {
        "handler": ours,
        "text": _text(testbed, _fresh(testbed, _EVENTS_PER_ROUND), size),
        "bulk": _bulk(testbed, _fresh(testbed, _EVENTS_PER_ROUND), size),
    }


def _fresh(testbed: Testbed, count: int) -> list[QueuedEvent]:
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, count)
    return DEVICE_FAILED.events(range(count), began)


def _text(testbed: Testbed, events: list[QueuedEvent], size: int = _BATCH) -> Spent:
    with testbed.cursor() as cursor:
        ready = bare_sql.build(cursor, events, size)
        with testbed.measured() as spent:
            bare_sql.run(cursor, ready)
        return spent[0]


def _bulk(testbed: Testbed, events: list[QueuedEvent], size: int = _BATCH) -> Spent:
    with testbed.cursor() as cursor:
        connection = cast("WireConnection", cursor.connection)
        ready = bare_sql.build_bulk(connection, cursor, events, size)
        with testbed.measured() as spent:
            bare_sql.run_bulk(connection, ready)
        return spent[0]


def _spent(testbed: Testbed, workload: Workload, size: int, count: int) -> Spent:
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, size + count, workload.devices_each)
    first, *batches = invocations(workload.events(range(size + count), began), size)
    with warm(workload.service, testbed) as function:
        function.run([first])  # connects
        return function.run(batches)


def _mix(testbed: Testbed) -> dict[str, Any]:
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, len(ALL) * _BATCH)
    total = [0.0, 0.0, 0.0]
    for family in {workload.service for workload in ALL}:
        with warm(family, testbed) as function:
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
