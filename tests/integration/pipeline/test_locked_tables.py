"""Locks on tables whose rows are not searched cost one wait and no attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.events import message
from tests.support.locks import locked
from tests.support.statements import counted
from tests.support.world import held, world

if TYPE_CHECKING:
    from tests.support.functions import Functions
    from tests.support.queues import Queues
    from tests.support.store import Store

pytestmark = pytest.mark.usefixtures("short_lock_waits")

USERS: Final = 20


@pytest.fixture
def holders(store: Store) -> Store:
    store.seed(world(*(held(f"d{number}", by=f"u{number}") for number in range(USERS))))
    return store


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

    with locked(holders.settings, lock), counted(connected.database) as spent:
        assert connected.handle(*batch) == {"retried": USERS}

    assert spent.rollbacks <= 2
    waiting = queues.take("scheduler.user-suspended.retry")
    assert {one.headers["x-attempt"] for one in waiting} == {0}
