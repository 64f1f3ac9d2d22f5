"""Locked rows stall only the messages that need them, however many there are."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from scheduler.database.connection import LOCK_WAIT_SECONDS, connect
from tests.support.events import message
from tests.support.locks import locked
from tests.support.statements import counted
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from tests.support.functions import Functions
    from tests.support.queues import Queues
    from tests.support.store import Store

pytestmark = pytest.mark.usefixtures("short_lock_waits")

USERS: Final = 100
NEIGHBOURS_WAIT_SECONDS: Final = 8
LOCK_USERS: Final = "SELECT id FROM users WHERE id IN %s FOR UPDATE"
LOCK_DEVICE: Final = "SELECT id FROM devices WHERE id = 'd3' FOR UPDATE"
LOCK_USER: Final = "SELECT id FROM users WHERE id = 'u3' FOR UPDATE"
LOCK_ALLOCATION: Final = "SELECT id FROM allocations WHERE id = 'allocation-of-d3' FOR UPDATE"
LOCKED: Final = tuple(f"u{number}" for number in range(0, USERS, 10))


@pytest.fixture
def full_house(store: Store) -> Store:
    store.seed(world(*(held(f"d{number}", by=f"u{number}") for number in range(USERS))))
    return store


def released(store: Store) -> set[str]:
    rows = store.rows("SELECT user_id FROM allocations WHERE status = 'RELEASED'")
    return {user_id for (user_id,) in rows}


def test_ten_locked_users_of_a_hundred_wait_and_the_others_do_not(
    full_house: Store, connected: Functions, queues: Queues
) -> None:
    batch = [message("user.suspended", userId=f"u{number}") for number in range(USERS)]

    with (
        locked(full_house.settings, LOCK_USERS, LOCKED),
        counted(connected.database) as spent,
    ):
        totals = connected.handle(*batch)

    assert totals == {"success": USERS - len(LOCKED), "retried": len(LOCKED)}
    assert released(full_house) == {f"u{number}" for number in range(USERS)} - set(LOCKED)
    waiting = queues.take("scheduler.user-suspended.retry")
    assert {one.headers["x-attempt"] for one in waiting} == {0}
    ((error,),) = full_house.rows("SELECT DISTINCT error FROM unapplied_messages")
    assert error.startswith("parked: other transactions hold its rows: Lock wait timeout exceeded;")
    # One attempt waits for the locks, one query finds them, one attempt applies the rest.
    assert spent.commits <= 3
    # Each attempt whose wait times out is rolled back.
    assert spent.rollbacks * LOCK_WAIT_SECONDS < NEIGHBOURS_WAIT_SECONDS


@pytest.mark.parametrize("lock", [LOCK_DEVICE, LOCK_ALLOCATION])
def test_a_locked_device_or_allocation_stalls_only_its_holder(
    lock: str, full_house: Store, connected: Functions, queues: Queues
) -> None:
    """Rows of all tables are searched: tests/integration/database/test_locked_rows.py."""
    batch = [message("user.suspended", userId=f"u{number}") for number in range(5)]

    with locked(full_house.settings, lock):
        totals = connected.handle(*batch)

    assert totals == {"success": 4, "retried": 1}
    assert released(full_house) == {"u0", "u1", "u2", "u4"}
    (waiting,) = queues.take("scheduler.user-suspended.retry")
    assert waiting.headers["x-attempt"] == 0


def test_a_locked_notification_stalls_only_the_deletion_of_its_user(
    full_house: Store, connected: Functions, queues: Queues
) -> None:
    suspended, deleted = (
        [message(event, userId=f"u{number}") for number in range(5)]
        for event in ("user.suspended", "user.deleted")
    )
    connected.handle(*suspended)

    # Without the index, all rows of a small table would be locked.
    of_user = "SELECT id FROM notifications FORCE INDEX (inbox) WHERE user_id IN %s FOR UPDATE"
    with locked(full_house.settings, of_user, ("u3",)):
        assert connected.handle(*deleted) == {"success": 4, "retried": 1}

    (waiting,) = queues.take("scheduler.user-deleted.retry")
    assert (waiting.headers["x-attempt"], waiting.body) == (0, deleted[3].body)


@pytest.mark.parametrize("lock", [LOCK_DEVICE, LOCK_USER])
def test_a_device_waits_for_itself_and_for_its_holder(
    lock: str, full_house: Store, connected: Functions, queues: Queues
) -> None:
    batch = [message("device.failed", deviceId=f"d{number}") for number in range(5)]

    with locked(full_house.settings, lock), counted(connected.database) as spent:
        totals = connected.handle(*batch)

    assert totals == {"success": 4, "retried": 1}
    assert released(full_house) == {"u0", "u1", "u2", "u4"}
    (waiting,) = queues.take("scheduler.device-failed.retry")
    assert waiting.headers["x-attempt"] == 0
    assert spent.rollbacks * LOCK_WAIT_SECONDS < NEIGHBOURS_WAIT_SECONDS


def test_a_locked_table_parks_the_whole_batch_without_searching_each_message(
    full_house: Store, connected: Functions, queues: Queues
) -> None:
    batch = [message("user.activated", userId=f"u{number}") for number in range(20)]

    users = locked(full_house.settings, "LOCK TABLES users WRITE")
    with users, counted(connected.database) as spent:
        totals = connected.handle(*batch)

    assert totals == {"retried": 20}
    assert spent.selects < 20
    assert len(queues.take("scheduler.user-activated.retry")) == 20


def test_a_user_without_a_row_is_never_taken_for_locked(store: Store, connected: Functions) -> None:
    store.seed(world(user("u1")))
    batch = [message("user.suspended", userId=id_) for id_ in ("u1", "new")]

    with locked(store.settings, LOCK_USERS, ("u1",)):
        assert connected.handle(*batch) == {"success": 1, "retried": 1}

    query = "SELECT id, status FROM users ORDER BY id"
    assert store.rows(query) == [("new", "suspended"), ("u1", "active")]


@pytest.mark.parametrize("by_device", [True, False])
def test_a_holder_whose_row_was_deleted_stalls_nobody(
    full_house: Store, connected: Functions, *, by_device: bool
) -> None:
    full_house.run("DELETE FROM users WHERE id = 'u3'")
    batch = [
        message("device.failed", deviceId=f"d{number}")
        if by_device
        else message("user.suspended", userId=f"u{number}")
        for number in range(5)
    ]

    assert connected.handle(*batch) == {"success": 5}

    assert released(full_house) == {f"u{number}" for number in range(5)}


def test_a_user_whose_row_is_not_committed_waits_and_the_others_do_not(
    store: Store, connected: Functions
) -> None:
    store.seed(world(user("u1"), user("u2"), user("u3")))
    batch = [message("user.suspended", userId=id_) for id_ in ("u1", "new", "u2", "u3")]

    with closing(connect(store.settings)) as other, other.cursor() as cursor:
        cursor.execute("INSERT INTO users (id, status, max_devices) VALUES ('new', 'active', 10)")
        with counted(connected.database) as spent:
            assert connected.handle(*batch) == {"success": 3, "retried": 1}

    assert spent.commits <= 3
