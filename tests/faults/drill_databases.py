"""The databases of a drill: inserts the initial rows, and acts as operators and housekeeping do."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import pymysql

from housekeeping.erase import erase_deleted_users
from housekeeping.serve_waiting import serve_waiting
from housekeeping.settings import HousekeepingSettings
from housekeeping.tools import Tools
from local.environment import aws_environment, function_environment
from scheduler.database import brake
from scheduler.database.connection import Database, connect
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.database.migrate import migrate
from scheduler.domain.model import Quota
from scheduler.observability.emf import Metrics
from scheduler.unit_of_work import UnitsOfWork
from tests.faults.observed import broken_rules, read_facts
from tests.faults.workload import HAPPENED, REFUSED
from tests.support.tables import dynamodb_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pymysql.cursors import Cursor

    from local.servers.mariadb import MariaDB
    from tests.faults.model import Facts
    from tests.faults.workload import Household

DATABASE: Final = "cloudphone_faults"
_ERASABLE: Final = timedelta(minutes=2)
"""How long after a deletion its erasure can be finished."""
_IN_DOUBT: Final = timedelta(seconds=1)
"""A transaction that asked the brake just before it was engaged may still release."""
_DEADLINE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 0.2

_REFUSE: Final = """
    CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} FOR EACH ROW
    IF NEW.id LIKE '{refused}%' THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused by the drill';
    END IF
"""
_USERS: Final = """
    INSERT INTO users (id, status, billing_hold, max_devices, email, phone, time_zone)
    VALUES (%s, %s, %s, %s, CONCAT(id, '@example.com'), CONCAT('+86 ', id), 'Europe/Berlin')
"""
_PREFERENCES: Final = """
    INSERT INTO notification_preferences (user_id, channels)
    VALUES (%s, '{"device_released": {"email": true}}')
"""
_DEVICES: Final = """
    INSERT INTO devices (id, name, status, cpu_cores, memory_mb, storage_mb)
    VALUES (%s, %s, 'allocated', %s, %s, 8192)
"""
_ALLOCATIONS: Final = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    VALUES (%s, %s, %s, 'ALLOCATED', %s, '2099-01-01')
"""
_WAITING: Final = """
    INSERT INTO waiting (id, user_id, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at)
    VALUES (%s, %s, 60, %s, %s, '2026-01-01', '2099-01-01')
"""
_TAMPER: Final = ("UPDATE users SET status = 'suspended'", "UPDATE devices SET health = 'failed'")
_MEMORY: Final = 1_000_000


class DrillDatabases:
    """MariaDB and DynamoDB of a drill."""

    def __init__(self, mariadb: MariaDB, aws_url: str, broker_url: str) -> None:
        self._mariadb = mariadb
        self._aws = aws_environment(aws_url)
        self.url = mariadb.url_of(DATABASE)
        self._settings = HousekeepingSettings.model_validate(
            {
                **function_environment(self.url, broker_url, aws_url),
                "WEBSOCKET_ENDPOINT": aws_url,
            }
        )
        self._table = dynamodb_table(aws_url, "PAYMENT_FAILURES_TABLE")
        self._held: list[datetime] = []

    def fill(self, households: Iterable[Household]) -> None:
        """Create the database with the rows of households and triggers that refuse some ids."""
        self.drop()
        with closing(self._mariadb.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{DATABASE}` CHARACTER SET utf8mb4")
        migrate(self._settings)
        with closing(connect(self._settings)) as database, database.cursor() as cursor:
            for table in ("users", "devices"):
                cursor.execute(_REFUSE.format(table=table, refused=REFUSED))
            for statement, rows in _initial(list(households)).items():
                cursor.executemany(statement, rows)
            database.commit()
        left = [user for user, _ in self._failures()]  # of a drill on the same servers
        with self._table.batch_writer() as batch:
            for user in left:
                batch.delete_item(Key={"user_id": user})
        with self._table.batch_writer() as batch:
            for home in households:
                if home.failures:
                    batch.put_item(Item=_failed_before(home.user, home.failures))

    def engage_brake(self) -> None:
        """Hold the releases of failing devices, as an operator does."""
        self._decide(lambda cursor: brake.engage(cursor, datetime.now(UTC)))
        self._held = [datetime.now(UTC) + _IN_DOUBT]

    def release_brake(self) -> None:
        """Let the releases through for the rest of the drill."""
        self._held.append(datetime.now(UTC))
        self._decide(lambda cursor: brake.release(cursor, datetime.now(UTC) + timedelta(days=1)))

    def keep_house(self) -> None:
        """Serve users who were locked when their device was freed, and erase deleted ones."""

        def clock() -> datetime:
            return datetime.now(UTC) + _ERASABLE

        with closing(Database(self._settings)) as database, patch.dict(os.environ, self._aws):
            tools = Tools(self._settings, UnitsOfWork(database, Quota(10), lambda: None, clock))
            for job in (serve_waiting, erase_deleted_users):
                while sum(job(tools, Metrics())):  # it handles a limited number at a time
                    pass
            tools.failing.raise_if_any()

    def tamper(self) -> None:
        """Suspend all users and let all devices fail, which no event said."""
        with closing(connect(self._settings)) as connection, connection.cursor() as cursor:
            for statement in _TAMPER:
                cursor.execute(statement)
            connection.commit()

    def drop(self) -> None:
        """Remove the database."""
        with closing(self._mariadb.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{DATABASE}`")

    def facts(self) -> Facts:
        """Return what can be observed of the households."""
        return read_facts(self._settings, self._failures())

    def processed(self) -> frozenset[str]:
        """Return the ids of the messages that were applied or outdated, as in the facts."""
        return frozenset(fact[1] for fact in self.facts() if fact[0] == "processed")

    def held(self) -> int:
        """Return how many messages the brake has held; 0 while the database is unavailable."""
        try:
            with closing(connect(self._settings)) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM unapplied_messages WHERE outcome = 'held'")
                ((count,),) = cursor.fetchall()
        except pymysql.MySQLError:
            return 0
        return int(count)

    def broken_rules(self, deleted: set[str]) -> frozenset[str]:
        """Return what breaks a rule that holds for all rows, given the deleted users."""
        held = (self._held[0], self._held[-1]) if self._held else None
        return broken_rules(self._settings, deleted, held)

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

    def _failures(self) -> Iterator[tuple[str, int]]:
        request: dict[str, Any] = {"ConsistentRead": True}
        while True:
            page = self._table.scan(**request)
            for item in page["Items"]:
                yield str(item["user_id"]), int(str(item["failure_count"]))
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _initial(households: Iterable[Household]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows to insert, by statement."""
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for home in households:
        # More cores come with less memory, so that the device of one household suits no other.
        size = (home.cores, _MEMORY - home.number)
        rows[_USERS] += [(user, *row) for user, row in home.users.items()]
        if home.mails_releases:
            rows[_PREFERENCES].append((home.user,))
        for position, (held, user) in enumerate(home.holds.items()):
            since = HAPPENED - timedelta(hours=1) + timedelta(minutes=position)
            rows[_DEVICES].append((held.device, held.device, *size))
            rows[_ALLOCATIONS].append((held.allocation, user, held.device, since))
        rows[_WAITING] += [(entry, user, *size) for entry, user in home.waits.items()]
    return rows


def _failed_before(user: str, failures: int) -> dict[str, Any]:
    at = f"{HAPPENED.replace(hour=10):%Y-%m-%dT%H:%M:%S.%fZ}"
    ids = {f"{user}-before-{number}" for number in range(failures)}
    return {
        "user_id": user,
        "failure_count": failures,
        "message_ids": ids,
        "failures": {f"{at} {id_}" for id_ in ids},
        "last_failure_at": at,
        "expires_at": 4_000_000_000,
    }
