"""Locks on tables whose rows are not searched cost one wait and no attempt."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from scheduler.database.connection import connect
from tests.support.events import message
from tests.support.statements import counted
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.functions import Functions
    from tests.support.queues import Queues
    from tests.support.store import Store

USERS: Final = 20


@contextmanager
def locked(store: Store, statement: str) -> Iterator[None]:
    with closing(connect(store.settings)) as other, other.cursor() as cursor:
        cursor.execute(statement)
        yield


@pytest.fixture
def holders(store: Store) -> Store:
    store.seed(world(*(held(f"d{number}", by=f"u{number}") for number in range(USERS))))
    return store


def test_a_locked_table_of_notes_does_not_fail_a_redelivered_batch(
    holders: Store, connected: Functions
) -> None:
    batch = [
        message("user.suspended", userId=f"u{number}", redelivered=True) for number in range(3)
    ]

    with (
        locked(holders, "LOCK TABLES delivery_attempts WRITE"),
        counted(connected.database) as spent,
    ):
        assert connected.handle(*batch) == {"success": 3}

    # Only reading the notes waits for the lock.
    assert spent.rollbacks == 1


def test_notes_are_read_again_when_their_table_is_free(
    holders: Store, connected: Functions
) -> None:
    one, other = (message("user.suspended", userId=u, redelivered=True) for u in ("u1", "u2"))
    with locked(holders, "LOCK TABLES delivery_attempts WRITE"):
        connected.handle(one)
    holders.insert(
        "delivery_attempts",
        "queue, message_id, attempts, last_at",
        [(other.queue, other.delivery_key, 3, "2026-11-24")],
    )

    assert connected.handle(other) == {"dead_lettered": 1}


@pytest.mark.parametrize(
    "lock",
    [
        "LOCK TABLES allocations WRITE",
        "LOCK TABLES event_versions WRITE",
        "LOCK TABLES notifications WRITE",
        "LOCK TABLES processed_messages WRITE",
    ],
)
def test_a_lock_that_no_search_finds_parks_the_batch_after_two_waits(
    lock: str, holders: Store, connected: Functions, queues: Queues
) -> None:
    batch = [message("user.suspended", userId=f"u{number}") for number in range(USERS)]

    with locked(holders, lock), counted(connected.database) as spent:
        assert connected.handle(*batch) == {"retried": USERS}

    assert spent.rollbacks <= 2
    waiting = queues.take("scheduler.user-suspended.retry")
    assert {one.headers["x-attempt"] for one in waiting} == {0}
