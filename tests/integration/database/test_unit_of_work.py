"""Units of work on a real database: one transaction, hand-over, and nudges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from scheduler.domain.model import UserStatus
from tests.integration.database.changes import REASON, add_write, notify, release_all
from tests.integration.housekeeping.conftest import add_entry
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW, device, held, user, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.domain.work import Work
    from scheduler.unit_of_work import UnitOfWork, UnitsOfWork
    from tests.support.store import Store


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


def test_work_meanwhile_runs_before_the_responses_to_the_writes_are_read(
    units: UnitsOfWork, store: Store
) -> None:
    store.seed(world(held("d1")))
    unread: list[int] = []

    def change(unit: UnitOfWork) -> None:
        unit.meanwhile(lambda: unread.append(len(unit.cursor._pending)))
        add_write(unit, "UPDATE devices SET name = 'written'")
        release_all(unit)

    with counted(units.database) as statements:
        units.run(change)

    assert len(unread) == 1
    assert unread[0] >= statements.writes > 1


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
