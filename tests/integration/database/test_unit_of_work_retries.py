"""Which errors make a unit of work run again, and when it then hands no device over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymysql
import pytest
from pymysql.constants import ER

from tests.integration.database.changes import release_all
from tests.integration.housekeeping.conftest import add_entry
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from scheduler.unit_of_work import UnitOfWork, UnitsOfWork
    from tests.support.store import Store


DEADLOCK = pymysql.OperationalError(ER.LOCK_DEADLOCK, "failed")
LOCK_WAIT = pymysql.OperationalError(ER.LOCK_WAIT_TIMEOUT, "failed")
BAD_VALUE = pymysql.DataError(ER.DATA_TOO_LONG, "failed")


class FailingOnce:
    """A change that releases the devices of a user, and of which the first commit fails."""

    def __init__(self, error: pymysql.MySQLError) -> None:
        self._error = error
        self.attempts = 0

    def __call__(self, unit: UnitOfWork) -> None:
        release_all(unit)
        self.attempts += 1
        if self.attempts == 1:
            unit.add_write(self._fail)

    def _fail(self) -> None:
        raise self._error


def holders(store: Store) -> list[tuple[str, str]]:
    return store.rows("SELECT user_id, status FROM allocations ORDER BY user_id")


@pytest.mark.parametrize("error", [DEADLOCK, LOCK_WAIT])
def test_change_runs_again_after_a_conflict(
    error: pymysql.MySQLError, units: UnitsOfWork, store: Store
) -> None:
    store.seed(world(held("d1")))
    change = FailingOnce(error)

    units.run(change)

    assert change.attempts == 2
    assert holders(store) == [("u1", "RELEASED")]


def test_change_does_not_run_again_after_another_error(units: UnitsOfWork, store: Store) -> None:
    store.seed(world(held("d1")))
    change = FailingOnce(BAD_VALUE)

    with pytest.raises(pymysql.MySQLError, match="failed"):
        units.run(change)

    assert change.attempts == 1
    assert holders(store) == [("u1", "ALLOCATED")]


@pytest.mark.parametrize(("error", "served"), [(DEADLOCK, True), (LOCK_WAIT, False)])
def test_freed_device_is_handed_over_in_the_next_attempt_unless_a_row_stays_locked(
    error: pymysql.MySQLError, *, served: bool, units: UnitsOfWork, store: Store
) -> None:
    store.seed(world(held("d1"), user("waiter")))
    add_entry(store, "waiter")
    change = FailingOnce(error)

    units.run(change)

    assert change.attempts == 2
    assert holders(store) == [("u1", "RELEASED"), *[("waiter", "ALLOCATED")] * served]
    assert store.rows("SELECT status FROM waiting") == [("SERVED" if served else "WAITING",)]
