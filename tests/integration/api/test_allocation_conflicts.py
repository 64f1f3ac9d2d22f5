"""Allocations that conflict with another transaction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from allocation_api.settings import ApiSettings
from scheduler.allocation.allocate import AllocationRequest, Allocator
from scheduler.allocation.device_picker import PoolContendedError
from scheduler.database.connection import Database
from scheduler.domain.model import Quota
from scheduler.domain.quota import Requirements
from scheduler.settings import AllocationStrategy
from scheduler.unit_of_work import UnitsOfWork
from tests.support.together import eventually
from tests.unit.api.test_routes import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from pymysql.cursors import Cursor

    from tests.integration.api.client import Client, Reply
    from tests.integration.api.rows import Rows

WAITING = """
    SELECT 1 FROM information_schema.processlist
    WHERE info LIKE '%%FROM users u%%FOR UPDATE%%' AND id <> CONNECTION_ID()
"""
"""The request waits for the user's row."""
LOCKABLE = "SELECT 1 FROM users WHERE id = 'u1' FOR UPDATE SKIP LOCKED"
"""None while the request has locked the user and searches for a device."""


@contextmanager
def allocation(api: Client, condition: Callable[[], bool]) -> Iterator[Future[Reply]]:
    """Request a device for u1; the block runs beside the request, once a condition holds."""
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(api.allocate, "u1")
        eventually(condition, "the request meets the other transaction")
        yield reply


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("status = 'suspended'", 403),
        ("billing_hold = TRUE", 403),
        ("max_devices = 0", 403),
        ("max_devices = 1", 201),
    ],
)
def test_a_change_of_the_user_that_commits_first_is_respected(
    api: Client, rows: Rows, other: Cursor, change: str, status: int
) -> None:
    rows.user()
    rows.device()
    other.execute(f"UPDATE users SET {change} WHERE id = 'u1'")  # noqa: S608 - the table above

    with allocation(api, lambda: bool(rows.all(WAITING))) as reply:
        other.connection.commit()

    assert reply.result().status == status
    assert len(rows.all("SELECT id FROM allocations")) == (status == 201)


def test_a_device_that_fails_meanwhile_is_not_allocated(
    api: Client, rows: Rows, other: Cursor
) -> None:
    rows.user()
    rows.device()
    other.execute("UPDATE devices SET health = 'failed' WHERE id = 'd1'")

    with allocation(api, lambda: not rows.all(LOCKABLE)) as reply:
        other.connection.commit()

    assert reply.result().code == "no_device_available"


def test_a_device_whose_lock_is_rolled_back_is_allocated(
    api: Client, rows: Rows, other: Cursor
) -> None:
    rows.user()
    rows.device()
    other.execute("UPDATE devices SET status = 'allocated' WHERE id = 'd1'")

    with allocation(api, lambda: not rows.all(LOCKABLE)) as reply:
        other.connection.rollback()

    assert reply.result().status == 201


def test_a_device_that_stays_locked_is_not_reported_as_taken(
    database_url: str, rows: Rows, other: Cursor
) -> None:
    rows.device()
    other.execute("SELECT id FROM devices FOR UPDATE")
    pauses: list[float] = []
    settings = ApiSettings.model_validate(ENVIRONMENT | {"DATABASE_URL": database_url})
    units = UnitsOfWork(Database(settings), Quota(10), lambda: None)
    strategy = AllocationStrategy.RESOURCE_BASED
    allocator = Allocator(units, strategy, sleep=pauses.append)

    with pytest.raises(PoolContendedError):
        allocator.allocate(AllocationRequest("u1", 60, Requirements()), "user:u1")

    assert 5 < sum(pauses) < 15, "seconds: longer than a batch of events, shorter than a request"
