"""Housekeeping beside events that take the same devices: every allocation ends exactly once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from scheduler.database.times import to_sql
from tests.integration.housekeeping.conftest import Keeper
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import NOW, SECOND, held, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.store import Store

USERS, DEVICES_EACH = 60, 5


def together(*actions: Callable[[], object]) -> None:
    """Run actions at the same time; an error in any of them fails the test (pytest's hook)."""
    gate = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> None:
        gate.wait()
        action()

    threads = [threading.Thread(target=run, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_expiry_suspension_and_device_failures_share_the_work(
    store: Store, keeper: Keeper, database_url: str
) -> None:
    ids = [(f"u{n}", f"d{n}-{m}") for n in range(USERS) for m in range(DEVICES_EACH)]
    store.seed(world(*(held(device_id, by=user_id) for user_id, device_id in ids)))
    store.run(f"UPDATE allocations SET expires_at = '{to_sql(NOW - SECOND)}'")  # noqa: S608
    suspended = [message("user.suspended", userId=f"u{n}") for n in range(0, USERS, 2)]
    failed = [message("device.failed", deviceId=f"d{n}-0") for n in range(USERS)]
    other = Keeper(database_url)

    def settle(*messages: object) -> Callable[[], None]:
        def run() -> None:
            with Functions(database_url) as functions:
                for start in range(0, len(messages), 10):
                    functions.handle(*messages[start : start + 10])  # type: ignore[arg-type]

        return run

    together(
        lambda: keeper.run("expire"),
        lambda: other.run("expire"),
        settle(*suspended),
        settle(*failed),
    )
    keeper.run("expire")  # what was left because an event was at it

    assert store.rows("SELECT COUNT(*) FROM allocations WHERE status = 'ALLOCATED'") == [(0,)]
    assert store.rows("SELECT COUNT(*) FROM devices WHERE status = 'allocated'") == [(0,)]
    ended = store.rows(
        "SELECT id, IF(status = 'EXPIRED', 'allocation_expired', 'device_released')"
        " FROM allocations"
    )
    told = store.rows(
        "SELECT dedupe_key FROM notifications WHERE type IN ('allocation_expired',"
        " 'device_released')"
    )
    assert sorted(f"{type_}:{id_}" for id_, type_ in ended) == sorted(key for (key,) in told)
    assert store.rows("SELECT COUNT(*) FROM outgoing_events") == [(len(ids),)]
    other.database.close()
