"""The databases of a drill: inserts its initial rows and reads effects and states."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pymysql

from scheduler.allocation.waiting_line import serve
from scheduler.database import brake, waiting
from scheduler.database.connection import Database, connect
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.database.migrate import migrate
from scheduler.domain.model import Quota
from scheduler.ids import uuid7
from scheduler.settings import AllocationStrategy, DatabaseSettings
from scheduler.unit_of_work import UnitsOfWork
from tests.faults.workload import HAPPENED, REFUSED
from tests.support.tables import dynamodb_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pymysql.cursors import Cursor

    from local.servers.mariadb import MariaDB
    from tests.faults.account import Effect, FinalState
    from tests.faults.workload import World

DATABASE: Final = "cloudphone_faults"
_LONG_LINE: Final = 10_000
_DEADLINE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 0.2

_REFUSE: Final = """
    CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} FOR EACH ROW
    IF NEW.id LIKE '{refused}%' THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused by the drill';
    END IF
"""
_USERS: Final = "INSERT INTO users (id, status, billing_hold, max_devices) VALUES (%s, %s, %s, %s)"
_DEVICES: Final = """
    INSERT INTO devices (id, name, status, cpu_cores, memory_mb, storage_mb)
    VALUES (%s, %s, %s, %s, %s, %s)
"""
_ALLOCATIONS: Final = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    VALUES (%s, %s, %s, 'ALLOCATED', %s, '2026-12-31')
"""
_WAITING: Final = """
    INSERT INTO waiting (id, user_id, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at)
    VALUES (%s, %s, 60, %s, %s, '2026-01-01', '2099-01-01')
"""
_RELEASED: Final = "SELECT 'released', id, 1 FROM allocations WHERE status = 'RELEASED'"
_ANNOUNCED: Final = """
    SELECT 'announced', JSON_VALUE(body, '$.allocationId') AS allocation, COUNT(*)
    FROM outgoing_events WHERE routing_key = 'device.released' GROUP BY allocation
"""
# Failed payments lead to warnings and to a suspension, in any order: both count as "billing".
# A deleted user's notifications lose their data, but not their dedupe key.
_NOTIFIED: Final = """
    SELECT 'notified', user_id,
           IF(type IN ('billing_alert', 'service_suspended'), 'billing', type) AS topic,
           IF(type = 'device_released',
              SUBSTRING_INDEX(SUBSTRING_INDEX(dedupe_key, ':', 2), ':', -1), '') AS allocation,
           COUNT(*)
    FROM notifications GROUP BY user_id, topic, allocation
"""
_STATES: Final = (
    "SELECT 'user', id, status FROM users",
    "SELECT 'held back', id, IF(billing_hold, 'True', 'False') FROM users",
    "SELECT 'quota', id, CAST(max_devices AS CHAR) FROM users",
    "SELECT 'health', id, health FROM devices",
    """
    SELECT 'free', d.id FROM devices d LEFT JOIN allocations a ON a.active_device_id = d.id
    WHERE d.status = 'available' AND a.id IS NULL
    """,
    "SELECT 'served', id FROM waiting WHERE status = 'SERVED'",
    "SELECT 'holds', active_device_id, user_id FROM allocations WHERE active_device_id IS NOT NULL",
)


class DrillDatabases:
    """MariaDB and DynamoDB of a drill."""

    def __init__(self, mariadb: MariaDB, aws_url: str) -> None:
        self._mariadb = mariadb
        self.url = mariadb.url_of(DATABASE)
        self._settings = DatabaseSettings.model_validate({"DATABASE_URL": self.url})
        self._table = dynamodb_table(aws_url, "PAYMENT_FAILURES_TABLE")

    def fill(self, world: World) -> None:
        """Create the database with the rows of the world and triggers that refuse some ids."""
        self.drop()
        with closing(self._mariadb.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{DATABASE}` CHARACTER SET utf8mb4")
        migrate(self._settings)
        with closing(connect(self._settings)) as database, database.cursor() as cursor:
            for table in ("users", "devices"):
                cursor.execute(_REFUSE.format(table=table, refused=REFUSED))
            cursor.executemany(_USERS, world.users)
            cursor.executemany(_DEVICES, world.devices)
            cursor.executemany(_ALLOCATIONS, world.allocations)
            cursor.executemany(_WAITING, world.waiting)
            database.commit()
        with self._table.batch_writer() as batch:
            for user in world.payers:
                batch.put_item(Item=_failed_twice(user))

    def engage_brake(self) -> None:
        """Hold the releases of failing devices, as an operator does."""
        self._decide(lambda cursor: brake.engage(cursor, datetime.now(UTC)))

    def release_brake(self) -> None:
        """Let the releases through for the rest of the drill."""
        self._decide(lambda cursor: brake.release(cursor, datetime.now(UTC) + timedelta(days=1)))

    def serve_waiting(self) -> None:
        """Serve users who were locked when their device was freed, as housekeeping does."""
        database = Database(self._settings)
        units = UnitsOfWork(database, Quota(10), lambda: None, lambda: datetime.now(UTC), uuid7)
        with closing(database):
            with database.transaction() as cursor:
                line = waiting.servable(cursor, datetime.now(UTC), None, _LONG_LINE)
            if line:
                units.run(partial(serve, entries=line, strategy=AllocationStrategy.RESOURCE_BASED))

    def drop(self) -> None:
        """Remove the database."""
        with closing(self._mariadb.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{DATABASE}`")

    def effects(self) -> Counter[Effect]:
        """Return the count of each effect."""
        counted: Counter[Effect] = Counter()
        for *effect, count in self._rows(_RELEASED, _ANNOUNCED, _NOTIFIED):
            counted[tuple(effect)] += count
        for user, failures in self._failures():
            counted["failures", user] += failures
        return counted

    def states(self) -> frozenset[FinalState]:
        """Return the final states."""
        states = {tuple(row) for row in self._rows(*_STATES)}
        return frozenset(states | {("failures", user, str(n)) for user, n in self._failures()})

    def _decide(self, decision: Callable[[Cursor], None]) -> None:
        """Decide as soon as the database is there."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            try:
                with closing(connect(self._settings)) as connection, connection.cursor() as cursor:
                    decision(cursor)
                    connection.commit()
            except (pymysql.MySQLError, DatabaseUnavailableError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _rows(self, *statements: str) -> Iterator[tuple[Any, ...]]:
        with closing(connect(self._settings)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                yield from cursor.fetchall()

    def _failures(self) -> Iterable[tuple[str, int]]:
        request: dict[str, Any] = {"ConsistentRead": True}
        while True:
            page = self._table.scan(**request)
            for item in page["Items"]:
                yield str(item["user_id"]), int(str(item["failure_count"]))
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _failed_twice(user: str) -> dict[str, Any]:
    return {
        "user_id": user,
        "failure_count": 2,
        "message_ids": {f"{user}-before-1", f"{user}-before-2"},
        "last_failure_at": f"{HAPPENED.replace(hour=10):%Y-%m-%dT%H:%M:%S.%fZ}",
        "expires_at": 4_000_000_000,
    }
