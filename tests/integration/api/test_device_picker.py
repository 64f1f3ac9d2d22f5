"""How many devices a transaction locks, and with how many statements."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scheduler.allocation.device_picker import DevicePicker
from scheduler.database.connection import connect
from scheduler.database.times import to_sql
from scheduler.domain.quota import NO_LIMIT, Requirements
from scheduler.settings import AllocationStrategy, DatabaseSettings
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.connection import Database
    from tests.integration.api.rows import Rows

ANY = Requirements()
LATER = NOW + 60 * MINUTE


def free_for_others(database_url: str) -> int:
    """Return how many devices another transaction could lock."""
    settings = DatabaseSettings.model_validate({"DATABASE_URL": database_url})
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM devices FOR UPDATE SKIP LOCKED")
        return len(cursor.fetchall())


def reserve(rows: Rows, status: str, starts_at: datetime) -> None:
    rows.run(
        "INSERT INTO reservations SET id = 'r1', user_id = 'u2', device_id = 'd1', status = %s,"
        " starts_at = %s, ends_at = %s, min_cpu_cores = 0, min_memory_mb = 0, created_at = NOW(6)",
        status,
        to_sql(starts_at),
        to_sql(starts_at + 60 * MINUTE),
    )


def pick(cursor: Cursor, strategy: AllocationStrategy, number: int) -> None:
    picker = DevicePicker(cursor, strategy, Counter({ANY: number}))
    assert len({picker.pick(ANY, NO_LIMIT, LATER).id for _ in range(number)}) == number


@pytest.mark.parametrize("strategy", AllocationStrategy)
@pytest.mark.parametrize("number", [1, 2])
def test_so_many_devices_are_locked_as_are_wanted(
    database: Database,
    database_url: str,
    rows: Rows,
    strategy: AllocationStrategy,
    number: int,
) -> None:
    rows.devices(5)

    with database.transaction() as cursor:
        pick(cursor, strategy, number)
        assert free_for_others(database_url) == 5 - number


@pytest.mark.parametrize(("status", "starts_at"), [("RESERVED", LATER), ("CANCELLED", NOW)])
def test_a_reservation_that_begins_afterwards_or_is_cancelled_leaves_the_device_free(
    database: Database, rows: Rows, status: str, starts_at: datetime
) -> None:
    rows.device()
    reserve(rows, status, starts_at)

    with database.transaction() as cursor:
        pick(cursor, AllocationStrategy.RESOURCE_BASED, 1)


def test_random_devices_of_both_sides_of_a_lot_are_as_many_as_are_wanted(
    database: Database, database_url: str, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.devices(5)
    (last,) = rows.column("SELECT MAX(lot) FROM devices")
    monkeypatch.setattr("random.randrange", lambda _: last)

    with database.transaction() as cursor:
        pick(cursor, AllocationStrategy.RANDOM, 2)
        assert free_for_others(database_url) == 3


def test_devices_that_are_too_large_for_a_user_are_replaced_one_by_one(
    database: Database, database_url: str, rows: Rows
) -> None:
    for place, cores in enumerate((8, 8, 2, 2)):
        at = NOW + place * MINUTE
        rows.device(f"d{place}", cpu_cores=cores, last_allocated_at=at)

    with database.transaction() as cursor:
        picker = DevicePicker(cursor, AllocationStrategy.ROUND_ROBIN, Counter({ANY: 2}))
        picked = [
            picker.pick(ANY, limit, LATER).id
            for limit in (NO_LIMIT, NO_LIMIT._replace(cpu_cores=4))
        ]
        assert picked == ["d0", "d2"]
        assert free_for_others(database_url) == 1


def test_one_statement_is_enough_if_a_suitable_device_is_free(
    database: Database, rows: Rows
) -> None:
    rows.devices(2)

    with counted(database) as statements, database.transaction() as cursor:
        pick(cursor, AllocationStrategy.RESOURCE_BASED, 1)

    assert statements.total == 1
