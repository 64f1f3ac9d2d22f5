"""The server refuses statements for reasons of its own: only what it refuses is parked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from pymysql.constants import ER

from tests.support.events import message
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.functions import Functions
    from tests.support.queues import Queues
    from tests.support.store import Store

USERS = 100
RETRY = "scheduler.user-suspended.retry"
_LOCK_TABLE_FULL = 1206
_STATEMENT_TIMEOUT = 1969


@contextmanager
def refused(store: Store, users: str, errno: int = ER.TRANS_CACHE_FULL) -> Iterator[None]:
    """Refuse to notify users whose ids match a pattern, with an error of the environment."""
    store.run(
        "CREATE TRIGGER refuse BEFORE INSERT ON notifications FOR EACH ROW BEGIN"
        f" IF NEW.user_id LIKE '{users}' THEN"
        f" SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {errno}; END IF; END"
    )
    try:
        yield
    finally:
        store.run("DROP TRIGGER refuse")


@pytest.fixture
def holders(store: Store) -> Store:
    store.seed(world(*(held(f"d{number}", by=f"u{number}") for number in range(USERS))))
    return store


def connections(store: Store) -> int:
    ((_, number),) = store.rows("SHOW GLOBAL STATUS LIKE 'Connections'")
    return int(number)


@pytest.mark.parametrize(
    "errno", [ER.RECORD_FILE_FULL, ER.TRANS_CACHE_FULL, _LOCK_TABLE_FULL, _STATEMENT_TIMEOUT]
)
def test_only_messages_that_the_server_refuses_are_parked(
    errno: int, holders: Store, connected: Functions, queues: Queues
) -> None:
    batch = [message("user.suspended", userId=f"u{number}") for number in range(USERS)]

    with refused(holders, "u_7", errno):
        assert connected.handle(*batch) == {"success": USERS - 9, "retried": 9}

    waiting = queues.take(RETRY)
    assert [one.headers["x-attempt"] for one in waiting] == [0] * 9
    statuses = "SELECT DISTINCT status FROM users WHERE id {} LIKE 'u_7' ORDER BY 1"
    assert holders.rows(statuses.format("NOT")) == [("suspended",)]
    assert holders.rows(statuses.format("")) == [("active",)]


def test_a_server_that_refuses_everything_is_asked_a_bounded_number_of_times(
    holders: Store, connected: Functions, queues: Queues
) -> None:
    batch = [message("user.suspended", userId=f"u{number}") for number in range(USERS)]

    before = connections(holders)
    with refused(holders, "%"):
        assert connected.handle(*batch) == {"retried": USERS}

    assert {one.headers["x-attempt"] for one in queues.take(RETRY)} == {0}
    # Each refusal closes the connection: another server may have the name by now.
    assert connections(holders) - before < 30
