"""What is wrong with the rows of a waiting user does not undo the release of the device."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from pymysql.constants import ER

from tests.integration.housekeeping.conftest import add_entry
from tests.support.events import message
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.functions import Functions
    from tests.support.store import Store

_SIGNAL = 1644


@pytest.fixture
def waiting(store: Store) -> Store:
    """Two users who hold a device, and one who waits for any."""
    store.seed(world(held("d1", by="u1"), held("d2", by="u2"), user("waiter")))
    add_entry(store, "waiter")
    return store


@contextmanager
def refused(store: Store, event: str, errno: int) -> Iterator[None]:
    """Refuse the rows of the waiting user."""
    store.run(
        f"CREATE TRIGGER refuse BEFORE {event} FOR EACH ROW BEGIN"
        " IF NEW.user_id = 'waiter' THEN"
        f" SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {errno}; END IF; END"
    )
    try:
        yield
    finally:
        store.run("DROP TRIGGER refuse")


def suspended_and_still_waiting(store: Store) -> bool:
    active = store.rows("SELECT user_id FROM allocations WHERE status = 'ALLOCATED' ORDER BY 1")
    statuses = store.rows("SELECT status FROM users WHERE id IN ('u1', 'waiter') ORDER BY id")
    return (active, statuses, store.rows("SELECT status FROM waiting")) == (
        [("u2",)],
        [("suspended",), ("active",)],
        [("WAITING",)],
    )


@pytest.mark.parametrize("event", ["INSERT ON allocations", "UPDATE ON waiting"])
@pytest.mark.parametrize("errno", [_SIGNAL, ER.DATA_TOO_LONG, ER.DUP_ENTRY, ER.TRANS_CACHE_FULL])
def test_suspension_is_applied_if_the_rows_of_a_waiting_user_are_refused(
    errno: int, event: str, waiting: Store, functions: Functions
) -> None:
    with refused(waiting, event, errno):
        assert functions.handle(message("user.suspended", userId="u1")) == {"success": 1}

    assert suspended_and_still_waiting(waiting)


def test_suspension_is_applied_if_the_rows_of_a_waiting_user_are_locked(
    waiting: Store, functions: Functions
) -> None:
    with waiting.database.transaction() as other:
        other.execute("SELECT id FROM waiting FOR UPDATE")
        assert functions.handle(message("user.suspended", userId="u1")) == {"success": 1}

    assert suspended_and_still_waiting(waiting)


def test_other_devices_are_handed_over_once_the_rows_are_accepted(
    waiting: Store, functions: Functions
) -> None:
    with refused(waiting, "INSERT ON allocations", _SIGNAL):
        functions.handle(message("user.suspended", userId="u1"))

    assert functions.handle(message("user.suspended", userId="u2")) == {"success": 1}

    assert waiting.rows("SELECT status FROM waiting") == [("SERVED",)]
