"""Units of work lock what they change, and run again after a conflict."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING

import pymysql
import pytest

from scheduler.database.connection import Database, connect
from scheduler.database.errors import StaleSnapshotError
from scheduler.domain.guard import Aggregate
from scheduler.domain.model import Quota
from scheduler.domain.notices import NoticeKind
from scheduler.unit_of_work import UnitsOfWork
from tests.integration.database.changes import add_write, notify, release_all
from tests.support.statements import counted
from tests.support.together import eventually, together
from tests.support.world import NOW, SECOND, held, user, world

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.domain.work import Work
    from scheduler.unit_of_work import UnitOfWork
    from tests.support.store import Store

LOCKING = """
    SELECT COUNT(*) FROM information_schema.processlist
    WHERE info LIKE '%% FOR UPDATE%%' AND id <> CONNECTION_ID()
"""


def test_units_that_lock_the_same_user_run_one_after_the_other(store: Store) -> None:
    store.seed(world(user("u1", quota=Quota(0))))

    def increase(unit: UnitOfWork) -> None:
        work = unit.lock(users=["u1"])
        work.set_quota("u1", Quota(work.user("u1").quota.max_devices + 1))

    def increase_repeatedly() -> None:
        with closing(Database(store.settings)) as database:
            for _ in range(10):
                UnitsOfWork(database, Quota(10), lambda: None).run(increase)

    together(*[increase_repeatedly] * 4)

    assert store.rows("SELECT max_devices FROM users") == [(40,)]


def test_the_time_of_a_change_is_later_than_the_commit_that_its_locks_waited_for(
    store: Store,
) -> None:
    store.seed(world(user("u1")))
    ticks = count()

    def clock() -> datetime:
        return NOW + next(ticks) * SECOND

    def time_of_change() -> datetime:
        with closing(Database(store.settings)) as database:
            units = UnitsOfWork(database, Quota(10), lambda: None, clock)
            return units.run(lambda unit: unit.lock(users=["u1"]).now)

    with (
        ThreadPoolExecutor(1) as thread,
        closing(connect(store.settings)) as other,
        other.cursor() as cursor,
    ):
        cursor.execute("SELECT id FROM users WHERE id = 'u1' FOR UPDATE")
        change = thread.submit(time_of_change)
        eventually(lambda: store.rows(LOCKING) == [(1,)], "the change waits for the lock")
        committed_at = clock()
        other.commit()

        assert change.result() > committed_at


def test_users_locked_by_another_transaction_are_skipped(units: UnitsOfWork, store: Store) -> None:
    store.seed(world(user("u1"), user("u2")))

    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM users WHERE id = 'u1' FOR UPDATE")
        work = units.run(lambda unit: unit.lock_users_skip_locked(["u1", "u2", "unknown"]))

    assert list(work.users) == ["u2"]


def test_after_a_conflict_the_change_runs_again_with_fresh_locks(
    units: UnitsOfWork, store: Store, nudges: list[int]
) -> None:
    known = []

    def change(unit: UnitOfWork) -> Work:
        work = unit.lock(users=["u1"])
        known.append(work.user("u1").known)
        if not work.user("u1").known:
            store.seed(world(user("u1", quota=Quota(7))))  # as another transaction would
        work.ensure_exists(Aggregate.USER, "u1")
        work.notify("u1", NoticeKind.WAITING_EXPIRED, expires_at=NOW)
        return work

    work = units.run(change)

    assert known == [False, True]
    assert work.user("u1").quota == Quota(7)
    assert store.rows("SELECT max_devices FROM users") == [(7,)]
    assert nudges == [1]


def test_writes_of_an_attempt_that_met_a_conflict_are_not_repeated(
    units: UnitsOfWork, store: Store
) -> None:
    store.seed(world(held("d1")))
    attempts = []

    def change(unit: UnitOfWork) -> None:
        release_all(unit)
        append = "UPDATE devices SET name = CONCAT(name, '+')"
        add_write(unit, append)
        attempts.append(unit)
        if len(attempts) < 3:
            raise StaleSnapshotError

    units.run(change)

    assert len(attempts) == 3
    assert store.rows("SELECT name FROM devices") == [("d1+",)]


def test_conflicts_that_exhaust_the_retries_are_raised_without_a_nudge(
    units: UnitsOfWork, store: Store, nudges: list[int]
) -> None:
    store.seed(world(user("u1"), user("u2")))
    before = store.state()

    def change(unit: UnitOfWork) -> None:
        notify(unit)
        duplicate = "INSERT INTO users (id, max_devices) VALUES ('u2', 1)"
        add_write(unit, duplicate)

    with counted(units.database) as statements, pytest.raises(pymysql.IntegrityError):
        units.run(change)

    assert statements.rollbacks == 3
    assert store.state() == before
    assert nudges == []
