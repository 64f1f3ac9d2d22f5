"""Time by devices of one user, by rows of history, and for the largest batch."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from rich.progress import track

from bench.warm_function import warm
from bench.workload import DEVICE_FAILED, USER_SUSPENDED, invocations, seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.testbed import Testbed
    from bench.workload import QueuedEvent

_DEVICE_COUNTS: Final = (1, 10, 100, 1_000, 10_000)
_ROW_COUNTS: Final = (0, 100_000, 1_000_000)
NO_HISTORY: Final = "batch of 100, 0 rows of history"
MOST_HISTORY: Final = "batch of 100, 1000000 rows of history"
_WARM_UP: Final = 10
_BATCHES: Final = 40
_BATCH: Final = 100
_LARGEST_BATCH: Final = 10_000
_ROWS_PER_STATEMENT: Final = 100_000
_ID: Final = "CONCAT('00000000-0000-7000-9000-', LPAD(HEX(seq), 12, '0'))"
_LONG_AGO: Final = "'2026-01-01' + INTERVAL seq SECOND"
_OLD_ROWS: Final = (
    f"""
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at,
        released_at, duration_seconds, release_code, release_reason)
    SELECT {_ID}, CONCAT('u', seq % 10000), CONCAT('d', seq % 10000), 'RELEASED', {_LONG_AGO},
        {_LONG_AGO}, {_LONG_AGO}, 3600, 'device_failed', '设备故障：Docker container crashed'
    FROM {{sequence}}
    """,
    f"""
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
    SELECT 'scheduler.device-failed', {_ID}, REPEAT('x', 32), {_LONG_AGO} FROM {{sequence}}
    """,
    f"""
    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    SELECT {_ID}, CONCAT('u', seq % 10000), 'device_released', '设备已释放',
        '设备 Phone 1 已释放。原因：设备故障：Docker container crashed。使用时长：2 小时 30 分钟。',
        '{{{{"deviceId": "d1"}}}}', CONCAT('device_released:', {_ID}), {_LONG_AGO}
    FROM {{sequence}}
    """,
    f"""
    INSERT INTO notification_deliveries
        (notification_id, channel, status, attempts, next_attempt_at, sent_at)
    SELECT {_ID}, 'websocket', 'sent', 1, {_LONG_AGO}, {_LONG_AGO} FROM {{sequence}}
    """,
    f"""
    INSERT INTO outgoing_events (routing_key, body, created_at, published_at)
    SELECT 'device.released', '{{{{"deviceId": "d1"}}}}', {_LONG_AGO}, {_LONG_AGO} FROM {{sequence}}
    """,
)
"""Statements that add a row per number of a sequence to each table that grows over the years."""


def devices_of_one_user(testbed: Testbed) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the time of user.suspended, and the peak memory of the function so far."""
    with warm(USER_SUSPENDED.service, testbed) as function:
        for devices in _DEVICE_COUNTS:
            testbed.empty()
            with testbed.cursor() as cursor:
                began = seed(cursor, 1, devices)
            event = USER_SUSPENDED.events([0], began)
            spent = function.run([*invocations(event, 1)])
            yield (
                f"user.suspended, {devices} devices",
                {"seconds": spent.seconds, "peak_mb": function.peak_memory / 1e6},
            )


def rows_of_history(
    testbed: Testbed, row_counts: tuple[int, ...] = _ROW_COUNTS
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the median time of a batch of 100 with more and more old rows, then with none again."""
    each = (_WARM_UP + _BATCHES) * _BATCH
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, each * len(row_counts))
    before = 0
    for number, rows in enumerate(row_counts):
        if rows:
            _add_history(testbed, before, rows)
        before = rows
        events = DEVICE_FAILED.events(range(number * each, (number + 1) * each), began)
        yield f"batch of 100, {rows} rows of history", _batches(testbed, events)
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, each)
    # Measured again, because the speed of the machine may have changed.
    yield f"{NO_HISTORY}, again", _batches(testbed, DEVICE_FAILED.events(range(each), began))


def _batches(testbed: Testbed, events: list[QueuedEvent]) -> dict[str, Any]:
    testbed.write_back()
    with warm(DEVICE_FAILED.service, testbed) as function:
        spent = [function.run([batch]) for batch in invocations(events, _BATCH)][_WARM_UP:]
    cpu = sum(one.database_cpu for one in spent)
    return {
        "seconds": median(one.seconds for one in spent),
        "database_cpu_us_per_event": 1e6 * cpu / (_BATCHES * _BATCH),
    }


def largest_batch(testbed: Testbed) -> dict[str, Any]:
    """Return the time and memory of the largest batch that a mapping delivers."""
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, _LARGEST_BATCH)
    events = DEVICE_FAILED.events(range(_LARGEST_BATCH), began)
    with warm(DEVICE_FAILED.service, testbed) as function:
        idle = function.peak_memory
        spent = function.run([*invocations(events, _LARGEST_BATCH)])
        return {
            "seconds": spent.seconds,
            "peak_mb": function.peak_memory / 1e6,
            "idle_mb": idle / 1e6,
        }


def _add_history(testbed: Testbed, first: int, last: int) -> None:
    """Insert old rows with the numbers from first up to last into each table that grows."""
    what = f"  adding {last - first:,} old rows to each table that grows"
    with testbed.cursor() as cursor:
        for start in track(range(first, last, _ROWS_PER_STATEMENT), what):
            sequence = f"seq_{start}_to_{min(start + _ROWS_PER_STATEMENT, last) - 1}"
            for statement in _OLD_ROWS:
                cursor.execute(statement.format(sequence=sequence))
