"""An error while the waiting line is served affects nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from scheduler.database import load
from scheduler.database.commit import commit
from scheduler.domain.model import Quota
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.waiting import assign
from scheduler.domain.work import Work
from scheduler.hand_over import hand_over
from scheduler.ids import uuid7
from tests.integration.housekeeping.conftest import add_entry
from tests.support.world import NOW, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store


def fail_after_assigning(*arguments: object) -> NoReturn:
    assign(*arguments)  # type: ignore[arg-type]  # of mixed types
    raise ArithmeticError("a bug")


def test_devices_are_released_even_if_serving_the_line_fails_half_way(store: Store) -> None:
    store.seed(world(held("d1", by="u1"), user("u2")))
    add_entry(store, "u2")

    with store.database.transaction() as cursor:
        work = Work(load.lock_snapshot(cursor, ["u1"], []), NOW, Quota(10))
        work.release_all("u1", ReleaseReason.user_request())
        hand_over(cursor, work, fail_after_assigning, serves_waiting=True)
        commit(cursor, work, [], uuid7)

    assert store.rows("SELECT user_id, status FROM allocations") == [("u1", "RELEASED")]
    assert store.rows("SELECT status FROM devices") == [("available",)]
    assert store.rows("SELECT status FROM waiting") == [("WAITING",)]
    assert store.rows("SELECT type FROM notifications") == [("device_released",)]
