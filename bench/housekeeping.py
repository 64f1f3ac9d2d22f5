"""Measures what a run of each housekeeping job costs in a large fleet.

    python -m bench.housekeeping [--devices 10000000]

Every device has a user, and every second one is held. As after an outage, one of ten notifications
waits for the dispatcher, as many users wait for larger devices than there are, and as many rows are
due for every other job, purge included. Each job runs three times; its most expensive run counts.
Ten million devices need about 15 GB of disk and an hour to insert.
"""

from __future__ import annotations

import io
import os
import time
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Final

os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"  # read when the loggers are created

import typer
from rich.progress import track

from bench.machine import watched
from bench.testbed import running_testbed
from housekeeping.jobs import JOBS
from housekeeping.runner import JobRunner
from housekeeping.settings import HousekeepingSettings
from housekeeping.tools import Tools
from local.environment import websocket_environment
from scheduler.deadline import Deadline

if TYPE_CHECKING:
    from bench.testbed import Testbed

_TARGET_SECONDS: Final = 1.0
_RUNS: Final = 3
_TIMEOUT: Final = 60
_ROWS_PER_STATEMENT: Final = 100_000
_AGE: Final = "NOW(6) - INTERVAL IF(seq % 10 = 5, 400, 20) DAY"
"""Of rows of history: one of ten is past every retention."""
_FILL: Final = (
    """
    INSERT INTO users (id, max_devices) SELECT CONCAT('user-', seq), 10 FROM seq_{first}_to_{last}
    """,
    """
    INSERT INTO devices (id, name, cpu_cores, memory_mb, storage_mb, status)
    SELECT CONCAT('device-', seq), CONCAT('Phone ', seq), 4, 8192, 65536,
           IF(seq % 2, 'allocated', 'available')
    FROM seq_{first}_to_{last}
    """,
    """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    SELECT CONCAT('00000000-0000-7000-8000-', LPAD(seq, 12, '0')), CONCAT('user-', seq),
           CONCAT('device-', seq), 'ALLOCATED', NOW(6),
           NOW(6) + INTERVAL CASE seq % 20 WHEN 1 THEN -60 WHEN 3 THEN 240 ELSE 86400 END SECOND
    FROM seq_{first}_to_{last} WHERE seq % 2
    """,
    """
    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    SELECT CONCAT('00000000-0000-7000-8000-', LPAD(seq, 12, '0')), CONCAT('user-', seq),
           'device_released', 't', 'm', '{{}}', CONCAT('device_released:', seq),
           NOW(6) - INTERVAL IF(seq % 10, seq % 3600, 100 * 86400) SECOND
    FROM seq_{first}_to_{last}
    """,
    """
    INSERT INTO notification_deliveries (notification_id, channel, status, next_attempt_at)
    SELECT CONCAT('00000000-0000-7000-8000-', LPAD(seq, 12, '0')),
           ELT(1 + seq % 3, 'websocket', 'email', 'sms'), IF(seq % 10 = 1, 'pending', 'sent'),
           NOW(6) - INTERVAL seq % 3600 SECOND
    FROM seq_{first}_to_{last}
    """,
    """
    INSERT INTO waiting (id, user_id, priority, minutes, min_cpu_cores, min_memory_mb, created_at,
                         expires_at)
    SELECT CONCAT('00000000-0000-7000-8000-', LPAD(seq, 12, '0')), CONCAT('user-', seq), seq % 3,
           60, 64, 8192, NOW(6),
           NOW(6) + INTERVAL IF(seq % 20, 86400, -60) SECOND
    FROM seq_{first}_to_{last} WHERE seq % 10 = 0
    """,
    """
    INSERT INTO reservations (id, user_id, device_id, starts_at, ends_at, min_cpu_cores,
                              min_memory_mb, created_at)
    SELECT CONCAT('00000000-0000-7000-a000-', LPAD(seq, 12, '0')), CONCAT('user-', seq),
           CONCAT('device-', seq), NOW(6), NOW(6) + INTERVAL 1 HOUR, 0, 0, NOW(6)
    FROM seq_{first}_to_{last} WHERE seq % 100 = 0
    """,
    """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at, released_at,
                             duration_seconds, release_code)
    SELECT CONCAT('00000000-0000-7000-9000-', LPAD(seq, 12, '0')), CONCAT('user-', seq),
           CONCAT('device-', seq), 'RELEASED', {age}, {age}, {age}, 0, 'user_request'
    FROM seq_{first}_to_{last}
    """,
    """
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
    SELECT 'scheduler.device-failed', seq, REPEAT('x', 32), {age} FROM seq_{first}_to_{last}
    """,
    """
    INSERT INTO outgoing_events (routing_key, body, created_at, published_at)
    SELECT 'device.released', '{{}}', {age}, IF(seq % 10, {age}, NULL) FROM seq_{first}_to_{last}
    """,
)


def main(devices: Annotated[int, typer.Option(help="Number of devices.")] = 10_000_000) -> None:
    """Measure and print; the exit status is 1 if a job misses the target."""
    with watched(), running_testbed() as testbed:
        _fill(testbed, devices)
        testbed.write_back()
        met = [_measure(testbed, job) for job in JOBS]
    raise typer.Exit(not all(met))


def _fill(testbed: Testbed, devices: int) -> None:
    what = f"inserting {devices:,} users, devices and notifications"
    with testbed.cursor() as cursor:
        for first in track(range(0, devices, _ROWS_PER_STATEMENT), what):
            last = min(first + _ROWS_PER_STATEMENT, devices) - 1
            for statement in _FILL:
                cursor.execute(statement.format(first=first, last=last, age=_AGE))


def _measure(testbed: Testbed, job: str) -> bool:
    """Return whether the most expensive of some runs of a job meets the target."""
    variables = {**testbed.environment, **websocket_environment(1)}
    tools = Tools.of(HousekeepingSettings.model_validate(variables))
    runner = JobRunner(JOBS, tools)
    cpu, seconds = [], []
    for _ in range(_RUNS):
        # The metrics and log lines of a job go to stdout.
        with testbed.measured() as spent, redirect_stdout(io.StringIO()):
            result = runner.run([job], Deadline(time.monotonic() + _TIMEOUT))[job]
        cpu.append(spent[0].database_cpu)
        seconds.append(spent[0].seconds)
        if result["status"] == "failed":
            raise AssertionError(f"{job} failed")
    tools.database.close()
    met = max(cpu) <= _TARGET_SECONDS
    print(
        f"{job:<26} {max(cpu):6.2f} s of database CPU, {max(seconds):6.2f} s"
        f"{'' if met else '  MISSED'}",
        flush=True,
    )
    return met


if __name__ == "__main__":
    typer.run(main)
