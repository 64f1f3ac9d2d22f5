"""What grows, and what must not: devices of one user, rows of history, messages of a batch."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench import history
from bench.ours import warm
from bench.workload import DEVICE_FAILED, USER_SUSPENDED, invocations, seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.stand import Stand
    from bench.workload import Published

_ALLOCATIONS: Final = (1, 10, 100, 1_000, 10_000)
_HISTORY: Final = (0, 100_000, 1_000_000)
NONE: Final = "batch of 100, 0 rows of history"
MOST: Final = "batch of 100, 1000000 rows of history"
_WARM_UP: Final = 10
_BATCHES: Final = 40
_BATCH: Final = 100
_LARGEST_BATCH: Final = 10_000


def devices_of_one_user(stand: Stand) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield how long user.suspended takes, and the most memory the function has had so far."""
    with warm(USER_SUSPENDED.service, stand) as function:
        for allocations in _ALLOCATIONS:
            stand.empty()
            with stand.cursor() as cursor:
                began = seed(cursor, 1, allocations)
            event = USER_SUSPENDED.events([0], began)
            spent = function.run([*invocations(event, 1)])
            yield (
                f"user.suspended, {allocations} devices",
                {"seconds": spent.seconds, "peak_mb": function.peak_memory / 1e6},
            )


def rows_of_history(stand: Stand) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the median time of a batch of 100 with ever more old rows in the tables, then none."""
    each = (_WARM_UP + _BATCHES) * _BATCH
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, each * len(_HISTORY))
    before = 0
    for number, rows in enumerate(_HISTORY):
        if rows:
            print(f"  adding {rows - before:,} old rows to each table that grows …", flush=True)
        with stand.cursor() as cursor:
            history.add(cursor, before, rows)
        before = rows
        events = DEVICE_FAILED.events(range(number * each, (number + 1) * each), began)
        yield f"batch of 100, {rows} rows of history", _batches(stand, events)
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, each)
    # Measured twice: the machine may have become faster or slower meanwhile.
    yield f"{NONE}, again", _batches(stand, DEVICE_FAILED.events(range(each), began))


def _batches(stand: Stand, events: list[Published]) -> dict[str, Any]:
    stand.write_back()
    with warm(DEVICE_FAILED.service, stand) as function:
        spent = [function.run([batch]) for batch in invocations(events, _BATCH)][_WARM_UP:]
    cpu = sum(one.database_cpu for one in spent)
    return {
        "seconds": median(one.seconds for one in spent),
        "database_cpu_us_per_event": 1e6 * cpu / (_BATCHES * _BATCH),
    }


def largest_batch(stand: Stand) -> dict[str, Any]:
    """Return time and memory of the largest batch a mapping delivers."""
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, _LARGEST_BATCH)
    events = DEVICE_FAILED.events(range(_LARGEST_BATCH), began)
    with warm(DEVICE_FAILED.service, stand) as function:
        idle = function.peak_memory
        spent = function.run([*invocations(events, _LARGEST_BATCH)])
        return {
            "seconds": spent.seconds,
            "peak_mb": function.peak_memory / 1e6,
            "idle_mb": idle / 1e6,
        }
