"""Units of work on a real database: locks, one transaction, retries, hand-over, and nudges."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from scheduler.database.connection import Database, connect
from scheduler.database.errors import StaleSnapshotError
from scheduler.domain.guard import Aggregate
from scheduler.domain.model import Quota, UserStatus
from scheduler.domain.notices import NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.unit_of_work import UnitsOfWork
from tests.integration.housekeeping.conftest import add_entry
from tests.support.statements import counted
from tests.support.together import together
from tests.support.world import MINUTE, NOW, device, held, user, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.domain.work import Work
    from scheduler.unit_of_work import UnitOfWork
    from tests.support.store import Store

REASON = ReleaseReason.user_request()
COMMITTED = "SELECT COUNT(*) AS notifications FROM notifications"


@pytest.fixture
def nudges() -> list[int]:
    """The number of committed notifications at each nudge."""
    return []


@pytest.fixture
def units(database: Database, store: Store, nudges: list[int]) -> UnitsOfWork:
    def nudge() -> None:
        ((committed,),) = store.rows(COMMITTED)
        nudges.append(committed)

    return UnitsOfWork(database, Quota(10), nudge, lambda: NOW)


def release_all(unit: UnitOfWork, user_id: str = "u1") -> Work:
    work = unit.lock(users=[user_id])
    work.release_all(user_id, REASON)
    return work


def notify(unit: UnitOfWork) -> Work:
    work = unit.lock(users=["u1"])
    work.notify("u1", NoticeKind.WAITING_EXPIRED, expires_at=NOW)
    return work


def add_write(unit: UnitOfWork, statement: str) -> None:
    def write() -> None:
        unit.cursor.execute(statement)

    unit.add_write(write)


# -- what is written -------------------------------------------------------------------


def test_a_change_is_committed_and_its_result_returned(units: UnitsOfWork, store: Store) -> None:
    store.seed(world(held("d1")))

    work = units.run(release_all)

    assert list(work.releases) == ["allocation-of-d1"]
    assert store.rows("SELECT status FROM allocations") == [("RELEASED",)]


def test_a_change_that_locks_nothing_writes_nothing(
    units: UnitsOfWork, store: Store, nudges: list[int]
) -> None:
    before = store.state()

    def change(unit: UnitOfWork) -> str:
        add_write(unit, "INSERT INTO mutexes VALUES ('m')")
        return "nothing to do"

    with counted(units.database) as statements:
        assert units.run(change) == "nothing to do"

    assert (statements.total, nudges) == (0, [])
    assert store.state() == before
    assert store.rows("SELECT name FROM mutexes WHERE name = 'm'") == []


def test_a_change_that_changes_nothing_costs_only_its_locks(
    units: UnitsOfWork, store: Store
) -> None:
    store.seed(world(user("u1"), held("d1", by="u2")))
    add_entry(store, "u1")

    with counted(units.database) as statements:
        units.run(lambda unit: unit.lock(users=["u1"]))

    # The users and the devices that they hold.
    assert (statements.selects, statements.writes) == (2, 0)


def test_added_writes_are_committed_with_the_change(units: UnitsOfWork, store: Store) -> None:
    store.seed(world(held("d1")))

    def change(unit: UnitOfWork) -> None:
        release_all(unit)
        rename = "UPDATE devices SET name = CONCAT('was ', status)"
        add_write(unit, rename)

    units.run(change)

    # They run after the writes of the work.
    assert store.rows("SELECT name FROM devices") == [("was available",)]


def test_nothing_is_committed_if_an_added_write_fails(
    units: UnitsOfWork, store: Store, nudges: list[int]
) -> None:
    store.seed(world(held("d1")))
    before = store.state()

    def change(unit: UnitOfWork) -> None:
        release_all(unit)
        add_write(unit, "UPDATE devices SET name = 'x'")
        add_write(unit, "UPDATE devices SET cpu_cores = -1")

    with pytest.raises(pymysql.MySQLError, match="cpu_cores"):
        units.run(change)

    assert store.state() == before
    assert nudges == []


def test_an_error_of_the_change_is_raised_and_nothing_is_committed(
    units: UnitsOfWork, store: Store, nudges: list[int]
) -> None:
    store.seed(world(held("d1")))
    before = store.state()

    def change(unit: UnitOfWork) -> None:
        release_all(unit)
        unit.cursor.execute("UPDATE devices SET name = 'x'")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        units.run(change)

    assert store.state() == before
    assert nudges == []


def test_the_final_read_sees_the_writes_before_the_commit(units: UnitsOfWork, store: Store) -> None:
    store.seed(world(held("d1")))
    query = "SELECT status FROM allocations"

    def read(cursor: Any, work: Work) -> tuple[object, ...]:  # noqa: ANN401 - a cursor of rows
        cursor.execute(query)
        return (len(work.releases), cursor.fetchall(), store.rows(query))

    found = units.run_and_read(release_all, read)

    assert found == (1, (("RELEASED",),), [("ALLOCATED",)])


# -- locks and conflicts ---------------------------------------------------------------


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


# -- hand-over and nudges --------------------------------------------------------------


def test_a_freed_device_is_handed_over_without_the_change_asking_for_it(
    units: UnitsOfWork, store: Store, nudges: list[int]
) -> None:
    store.seed(world(held("d1", by="u1"), user("u2")))
    add_entry(store, "u2")

    units.run(release_all)

    query = "SELECT user_id, status FROM allocations ORDER BY user_id"
    assert store.rows(query) == [("u1", "RELEASED"), ("u2", "ALLOCATED")]
    assert store.rows("SELECT status FROM waiting") == [("SERVED",)]
    assert nudges == [2]


def test_a_blocked_user_leaves_the_waiting_line_without_the_change_asking_for_it(
    units: UnitsOfWork, store: Store
) -> None:
    store.seed(world(user("u1")))
    add_entry(store, "u1")

    units.run(
        lambda unit: unit.lock(users=["u1"]).set_user_status("u1", UserStatus.SUSPENDED),
    )

    assert store.rows("SELECT status FROM waiting") == [("REMOVED",)]


def allocate(unit: UnitOfWork) -> None:
    work = unit.lock(users=["u1"], devices=["d2"])
    work.allocate(unit.new_id(), "u1", work.device("d2"), NOW + MINUTE)


def extend(unit: UnitOfWork) -> None:
    work = unit.lock(devices=["d1"])
    (active,) = work.active_allocations(device="d1")
    work.extend(active, NOW + 90 * MINUTE)


def release_of_deleted_user(unit: UnitOfWork) -> None:
    work = unit.lock(users=["u1"])
    work.set_user_status("u1", UserStatus.DELETED)
    work.release_all("u1", REASON)


@pytest.mark.parametrize(
    ("change", "notifications"),
    [(notify, 1), (allocate, 1), (release_all, 1), (extend, 0), (release_of_deleted_user, 0)],
)
def test_the_dispatcher_is_nudged_once_after_the_commit_of_something_to_send(
    change: Callable[[UnitOfWork], object],
    notifications: int,
    units: UnitsOfWork,
    store: Store,
    nudges: list[int],
) -> None:
    store.seed(world(held("d1"), device("d2")))

    units.run(change)

    assert nudges == [notifications]


def set_billing_hold(unit: UnitOfWork) -> None:
    unit.lock(users=["u1"]).set_billing_hold("u1", hold=True)


def update_device(unit: UnitOfWork) -> None:
    work = unit.lock(devices=["d1"])
    work.update_device(work.device("d1")._replace(name="new"))


@pytest.mark.parametrize("change", [set_billing_hold, update_device])
def test_the_dispatcher_is_not_nudged_if_there_is_nothing_to_send(
    change: Callable[[UnitOfWork], object], units: UnitsOfWork, store: Store, nudges: list[int]
) -> None:
    store.seed(world(held("d1")))

    units.run(change)

    assert nudges == []
