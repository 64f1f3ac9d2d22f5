"""An error in serving the line costs nobody else anything."""

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
from tests.integration.housekeeping.conftest import line
from tests.support.world import NOW, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store


def break_off(*arguments: object) -> NoReturn:
    assign(*arguments)  # type: ignore[arg-type]  # of mixed types
    raise ArithmeticError("a bug of ours")


def test_a_device_is_released_though_serving_the_line_fails_half_way(store: Store) -> None:
    store.seed(world(held("d1", by="u1"), user("u2")))
    line(store, "u2")

    with store.database.transaction() as cursor:
        work = Work(load.lock_snapshot(cursor, ["u1"], []), NOW, Quota(10))
        work.release_all("u1", ReleaseReason.user_request())
        hand_over(cursor, work, break_off)
        commit(cursor, work, [], uuid7)

    assert store.rows("SELECT user_id, status FROM allocations") == [("u1", "RELEASED")]
    assert store.rows("SELECT status FROM devices") == [("available",)]
    assert store.rows("SELECT status FROM waiting") == [("WAITING",)]
    assert store.rows("SELECT type FROM notifications") == [("device_released",)]
