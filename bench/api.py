"""Measures the allocation API on a large, old database against a small, new one.

    python -m bench.api [--rounds 300]

Two databases on one server are measured in turns: one with 100 devices and no history, one with
10,000 devices and 1,000,000 ended allocations. In both, every second device is allocated. Then
1, 10 and 50 callers at once ask for devices of the large one; the goals are those of one caller.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import quantiles
from typing import TYPE_CHECKING, Annotated, Any, Final

os.environ["POWERTOOLS_LOG_LEVEL"] = "WARNING"  # read when the loggers are created

import typer

from allocation_api.api import AllocationApi
from allocation_api.settings import ApiSettings
from bench import api_callers
from bench.machine import watched
from bench.testbed import Testbed, running_testbed
from scheduler.allocation.device_picker import DevicePicker
from scheduler.database.connection import connect
from scheduler.database.migrate import migrate
from scheduler.domain.quota import NO_LIMIT, Requirements
from scheduler.settings import AllocationStrategy, DatabaseSettings
from tests.support.explaining import Explaining
from tests.support.rows import named_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pymysql.cursors import Cursor

USERS: Final = 1000
REQUEST: Final = {"minCpuCores": 4, "minMemoryMB": 8192}
CALLERS: Final = (1, 10, 50)
GOAL_P50_MS: Final = 4.0
GOAL_P99_MS: Final = 15.0
GOAL_RATIO: Final = 1.5

_FILL: Final = """
    INSERT INTO users (id, max_devices) SELECT CONCAT('user-', seq), 10 FROM seq_1_to_{users};

    INSERT INTO devices (id, name, cpu_cores, memory_mb, status, last_allocated_at)
    SELECT CONCAT('device-', seq), 'x', 1 + seq DIV 2 % 8, 1024 * (1 + seq DIV 2 % 16),
           IF(seq % 2, 'allocated', 'available'), NOW(6) - INTERVAL seq SECOND
    FROM seq_1_to_{devices};

    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    SELECT CONCAT('01a00000-0000-7000-8000-', LPAD(seq, 12, '0')), CONCAT('holder-', seq),
           CONCAT('device-', seq), 'ALLOCATED', NOW(6), NOW(6) + INTERVAL 1 DAY
    FROM seq_1_to_{devices} WHERE seq % 2;
"""
_HISTORY: Final = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at, released_at,
                             duration_seconds, release_code, release_reason)
    SELECT CONCAT('01900000-0000-7000-8000-', LPAD(seq, 12, '0')),
           CONCAT('user-', 1 + seq % {users}), CONCAT('device-', 1 + seq % {devices}), 'RELEASED',
           NOW(6) - INTERVAL ({history} - seq) * 10 + 3600 SECOND,
           NOW(6) - INTERVAL ({history} - seq) * 10 SECOND,
           NOW(6) - INTERVAL ({history} - seq) * 10 SECOND, 3600,
           'user_request', '用户主动释放'
    FROM seq_1_to_{history};
"""
_ANALYZE: Final = "ANALYZE TABLE users, devices, allocations"


@dataclass(frozen=True, slots=True)
class FilledDatabase:
    """A database with devices, users and history."""

    name: str
    devices: int
    history: int
    settings: DatabaseSettings


@dataclass(slots=True)
class RequestTimes:
    """Milliseconds of each request."""

    allocate: list[float]
    release: list[float]


def main(rounds: Annotated[int, typer.Option(help="Requests of each kind.")] = 300) -> None:
    """Measure and print; the exit status is 1 if a goal is missed."""
    with watched(), running_testbed() as testbed:
        small = _filled(testbed, "small", devices=100, history=0)
        large = _filled(testbed, "large", devices=10_000, history=1_000_000)
        testbed.write_back()
        _explain(large)
        missed = [
            strategy
            for strategy in AllocationStrategy
            if not _measure(testbed, strategy, small, large, rounds)
        ]
        for callers in CALLERS:
            _measure_callers(testbed, large, callers, rounds)
    raise typer.Exit(bool(missed))


def _filled(testbed: Testbed, name: str, *, devices: int, history: int) -> FilledDatabase:
    started = time.perf_counter()
    print(f"Filling {name}: {devices:,} devices, {history:,} ended allocations …", flush=True)
    database = f"cloudphone_{name}"
    with closing(testbed.mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
    settings = DatabaseSettings.model_validate({"DATABASE_URL": testbed.mariadb.url_of(database)})
    migrate(settings)
    figures = {"users": USERS, "devices": devices, "history": history}
    with closing(connect(settings, 600)) as filling, filling.cursor() as rows:
        for statement in (_FILL + (_HISTORY if history else "")).format(**figures).split(";"):
            if statement.strip():
                rows.execute(statement)
        filling.commit()
        rows.execute(_ANALYZE)
    print(f"  {time.perf_counter() - started:.0f} s")
    return FilledDatabase(name, devices, history, settings)


def _explain(platform: FilledDatabase) -> None:
    """Print the index by which each strategy finds a device."""
    with closing(connect(platform.settings)) as connection, connection.cursor() as cursor:

        def select(statement: str, *parameters: object) -> list[Any]:
            cursor.execute(statement, parameters)
            return named_rows(cursor)

        for strategy in AllocationStrategy:
            explaining = Explaining(select)
            sql: Cursor = explaining  # type: ignore[assignment]  # as far as the pick goes
            DevicePicker(sql, strategy, Counter([Requirements()]))._lock(  # noqa: SLF001 - the statement that picks
                Requirements(4, 8192), NO_LIMIT, datetime.now(UTC), 1
            )
            print(f"EXPLAIN {strategy:<14} {explaining.used()}")


def _measure(
    testbed: Testbed,
    strategy: AllocationStrategy,
    small: FilledDatabase,
    large: FilledDatabase,
    rounds: int,
) -> bool:
    """Send requests to both in turns, print the times, and tell whether the goals are reached."""
    asked = [
        (platform, _handler(testbed, platform, strategy), RequestTimes([], []))
        for platform in (small, large)
    ]
    for number in range(rounds):
        for _, handle, times in asked:
            _once(handle, REQUEST if number % 2 else {}, times)
    medians, p99 = [], 0.0
    for platform, _, times in asked:
        _, p50, p99 = _percentiles(times.allocate)
        medians.append(p50)
        print(
            f"{strategy:<14} {platform.name:<6} allocate {_shown(times.allocate)}"
            f"   release {_shown(times.release)}"
        )
    ratio = medians[1] / medians[0]
    reached = medians[1] < GOAL_P50_MS and p99 < GOAL_P99_MS and ratio <= GOAL_RATIO
    print(
        f"{strategy:<14} large / small = {ratio:.2f} (goal {GOAL_RATIO}), p50 {medians[1]:.2f} ms"
        f" (goal {GOAL_P50_MS:g}), p99 {p99:.2f} ms (goal {GOAL_P99_MS:g}):"
        f" {'reached' if reached else 'MISSED'}"
    )
    return reached


def _measure_callers(testbed: Testbed, platform: FilledDatabase, callers: int, rounds: int) -> None:
    """Let callers send requests at once, and print the times."""
    variables = _variables(testbed, platform, AllocationStrategy.RESOURCE_BASED)
    found = api_callers.measure(callers, rounds, partial(_start_caller, variables))
    print(
        f"{callers:2} callers at once: allocate {_shown(found.allocate)},"
        f" {found.per_second:.0f} requests a second"
    )


def _start_caller(variables: Mapping[str, str]) -> Callable[[], float]:
    handle, times = _warm(variables), RequestTimes([], [])

    def once() -> float:
        _once(handle, REQUEST, times)
        return times.allocate[-1]

    return once


def _handler(
    testbed: Testbed, platform: FilledDatabase, strategy: AllocationStrategy
) -> Callable[..., dict[str, Any]]:
    return _warm(_variables(testbed, platform, strategy))


def _variables(
    testbed: Testbed, platform: FilledDatabase, strategy: AllocationStrategy
) -> dict[str, str]:
    return {
        **testbed.environment,
        "DATABASE_URL": platform.settings.database_url.get_secret_value(),
        "ALLOCATION_STRATEGY": strategy.value,
    }


def _warm(variables: Mapping[str, str]) -> Callable[..., dict[str, Any]]:
    handle = AllocationApi(ApiSettings.model_validate(variables)).handle
    for _ in range(20):  # warm
        _once(handle, {}, RequestTimes([], []))
    return handle


def _once(handle: Callable[..., dict[str, Any]], wish: dict[str, int], times: RequestTimes) -> None:
    user = f"user-{random.randint(1, USERS)}"
    allocation, spent = _ask(handle, "POST", "/api/allocations", user, {"userId": user, **wish})
    times.allocate.append(spent)
    _, spent = _ask(handle, "DELETE", f"/api/allocations/{allocation['id']}", user)
    times.release.append(spent)


def _ask(
    handle: Callable[..., dict[str, Any]],
    method: str,
    path: str,
    user: str,
    body: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], float]:
    event = api_event(method, path, user, body)
    started = time.perf_counter()
    answer = handle(event, None)
    spent = (time.perf_counter() - started) * 1000
    if answer["statusCode"] not in {200, 201}:
        raise RuntimeError(answer["body"])
    return json.loads(answer["body"]), spent


def api_event(
    method: str, path: str, user: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the event with which API Gateway passes a user's request."""
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": method, "path": path},
            "stage": "$default",
            "authorizer": {"jwt": {"claims": {"sub": user}}},
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        event["body"] = json.dumps(body)
    return event


def _shown(milliseconds: Sequence[float]) -> str:
    p10, p50, p99 = _percentiles(milliseconds)
    return f"p10 {p10:5.2f}  p50 {p50:5.2f}  p99 {p99:6.2f} ms"


def _percentiles(milliseconds: Sequence[float]) -> tuple[float, float, float]:
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return cuts[9], cuts[49], cuts[98]


if __name__ == "__main__":
    typer.run(main)
