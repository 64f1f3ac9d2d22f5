"""Housekeeping and events that release the same devices: each allocation ends exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.database.times import to_sql
from tests.integration.housekeeping.conftest import Housekeeping
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.together import together
from tests.support.world import NOW, SECOND, held, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.store import Store

USERS, DEVICES_EACH = 60, 5


def test_concurrent_expiry_suspensions_and_failures_end_each_allocation_once(
    store: Store, housekeeping: Housekeeping, database_url: str
) -> None:
    ids = [(f"u{n}", f"d{n}-{m}") for n in range(USERS) for m in range(DEVICES_EACH)]
    store.seed(world(*(held(device_id, by=user_id) for user_id, device_id in ids)))
    store.run(f"UPDATE allocations SET expires_at = '{to_sql(NOW - SECOND)}'")  # noqa: S608 - a time of the test
    suspended = [message("user.suspended", userId=f"u{n}") for n in range(0, USERS, 2)]
    failed = [message("device.failed", deviceId=f"d{n}-0") for n in range(USERS)]
    other = Housekeeping(database_url)

    def settle(*messages: object) -> Callable[[], None]:
        def run() -> None:
            with Functions(database_url) as functions:
                for start in range(0, len(messages), 10):
                    functions.handle(*messages[start : start + 10])  # type: ignore[arg-type]  # a list of messages is unpacked

        return run

    together(
        lambda: housekeeping.run("expire"),
        lambda: other.run("expire"),
        settle(*suspended),
        settle(*failed),
    )
    housekeeping.run("expire")  # skipped because an event had locked them

    assert store.rows("SELECT COUNT(*) FROM allocations WHERE status = 'ALLOCATED'") == [(0,)]
    assert store.rows("SELECT COUNT(*) FROM devices WHERE status = 'allocated'") == [(0,)]
    ended = store.rows(
        "SELECT id, IF(status = 'EXPIRED', 'allocation_expired', 'device_released')"
        " FROM allocations"
    )
    notified = store.rows(
        "SELECT dedupe_key FROM notifications WHERE type IN ('allocation_expired',"
        " 'device_released')"
    )
    assert sorted(f"{type_}:{id_}" for id_, type_ in ended) == sorted(key for (key,) in notified)
    assert store.rows("SELECT COUNT(*) FROM outgoing_events") == [(len(ids),)]
    other.database.close()
