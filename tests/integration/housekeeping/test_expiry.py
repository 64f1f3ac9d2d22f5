"""Expired allocations are ended, once and completely, and do not affect others."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from housekeeping.jobs import JOBS
from housekeeping.runner import JobRunner
from scheduler.database.active_allocations import ALLOCATIONS_PER_TRANSACTION
from scheduler.database.times import to_sql
from scheduler.deadline import Deadline
from scheduler.domain.model import Allocation
from scheduler.domain.state import Snapshot
from tests.integration.housekeeping.conftest import Housekeeping, before_transaction, set_expiry
from tests.support.locks import locked
from tests.support.statements import counted
from tests.support.together import together
from tests.support.world import MINUTE, NOW, SECOND, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store

pytestmark = pytest.mark.usefixtures("short_lock_waits")

DUE = NOW - SECOND


def many(count: int, users: int | None = None) -> Snapshot:
    """Return held devices, by default each of another user."""
    return world(*(held(f"d{n}", by=f"u{n % (users or count)}") for n in range(count)))


def all_due(store: Store) -> None:
    store.run(f"UPDATE allocations SET expires_at = '{to_sql(DUE)}'")  # noqa: S608 - constants


def counts(store: Store) -> dict[str, int]:
    """Return the number of allocations by status."""
    return dict(store.rows("SELECT status, COUNT(*) FROM allocations GROUP BY status"))


def test_the_log_names_the_allocations_that_expired_and_their_users(
    store: Store, housekeeping: Housekeeping, caplog: pytest.LogCaptureFixture
) -> None:
    store.seed(world(held("d1", by="u1"), held("d2", by="u1"), held("d3", by="u2")))
    all_due(store)

    housekeeping.run("expire")

    (line,) = [one for one in caplog.records if one.getMessage() == "Expired 3 allocations"]
    assert line.__dict__["user_ids"] == ["u1", "u2"]
    assert len(line.__dict__["allocation_ids"]) == 3


def test_an_expired_allocation_ends_with_notifications_and_an_event(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1", locale="en"), held("d1", since=NOW - 60 * MINUTE)))
    set_expiry(store, DUE)

    assert housekeeping.run("expire") == 1

    state = store.state()
    assert state["allocations"] == [
        (
            *("allocation-of-d1", "u1", "d1", "EXPIRED", NOW, 3600),
            *("allocation_expired", "使用时间已到"),
        )
    ]
    assert [(row.id, row.status) for row in state["devices"]] == [("d1", "available")]
    assert state["deliveries"] == [
        ("allocation_expired:allocation-of-d1", "websocket", "pending"),
        ("allocation_expired:allocation-of-d1", "email", "pending"),
    ]
    (notice,) = state["notifications"]
    assert notice.type == "allocation_expired"
    assert notice.data["allocationId"] == "allocation-of-d1"
    assert "Time used: 1 hour." in notice.message
    ((routing_key, body),) = state["outgoing"]
    assert routing_key == "device.released"
    assert (
        body.items()
        >= {
            "allocationId": "allocation-of-d1",
            "userId": "u1",
            "deviceId": "d1",
            "reason": "allocation_expired",
            "durationSeconds": 3600,
            "cpuCores": 2,
        }.items()
    )
    assert housekeeping.nudges == 1


def test_an_allocation_that_has_not_expired_stays_active(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1"), held("d2")))
    set_expiry(store, NOW, "d1")
    set_expiry(store, NOW + timedelta(microseconds=1), "d2")

    assert housekeeping.run("expire") == 1

    assert counts(store) == {"ALLOCATED": 1, "EXPIRED": 1}


def test_an_allocation_expires_once(store: Store, housekeeping: Housekeeping) -> None:
    store.seed(world(held("d1")))
    set_expiry(store, DUE)
    housekeeping.run("expire")
    before = store.state()

    assert housekeeping.after(MINUTE).run("expire") == 0

    assert store.state() == before
    assert housekeeping.nudges == 1


def test_the_next_allocation_of_a_device_expires_too(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1"), user("u2")))
    set_expiry(store, DUE)
    housekeeping.run("expire")
    store.seed(Snapshot(allocations={"second": Allocation("second", "u2", "d1", NOW)}))
    set_expiry(store, NOW + MINUTE)

    assert housekeeping.after(MINUTE).run("expire") == 1

    assert counts(store) == {"EXPIRED": 2}


def test_the_health_of_a_device_does_not_change_on_expiry(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1")))
    set_expiry(store, DUE)
    store.run("UPDATE devices SET health = 'stopped'")

    housekeeping.run("expire")

    assert store.rows("SELECT status, health FROM devices") == [("available", "stopped")]


def test_more_than_one_transaction_of_allocations_expires_in_one_run(
    store: Store, housekeeping: Housekeeping
) -> None:
    count = 2 * ALLOCATIONS_PER_TRANSACTION + 1
    store.seed(many(count, users=100))
    all_due(store)

    assert housekeeping.run("expire") == count

    assert counts(store) == {"EXPIRED": count}
    assert store.rows("SELECT DISTINCT status FROM devices") == [("available",)]
    assert store.rows("SELECT COUNT(*) FROM outgoing_events") == [(count,)]


@pytest.mark.parametrize("size", [1, 10, ALLOCATIONS_PER_TRANSACTION])
def test_a_transaction_has_a_constant_number_of_statements(
    size: int, store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(many(size))
    all_due(store)

    with counted(housekeeping.database) as statements:
        assert housekeeping.run("expire") == size

    # Two pages, the second of which is empty; lock the users, search again, lock the devices, load
    # the snapshot, and read the waiting line.
    assert (statements.selects, statements.writes) == (2 + 7, 5)
    assert statements.commits == 3


def test_a_run_without_expired_allocations_costs_one_query(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(many(10))

    with counted(housekeeping.database) as statements:
        assert housekeeping.run("expire") == 0

    assert (statements.selects, statements.writes) == (1, 0)


def test_concurrent_runs_expire_each_allocation_once(store: Store, database_url: str) -> None:
    count = 4 * ALLOCATIONS_PER_TRANSACTION
    store.seed(many(count, users=300))
    all_due(store)
    environments = [Housekeeping(database_url) for _ in range(4)]

    handled = together(*(partial(one.run, "expire") for one in environments))
    handled.append(environments[0].run("expire"))  # skipped because another run had locked them

    assert sum(handled) == count
    assert counts(store) == {"EXPIRED": count}
    assert store.rows("SELECT COUNT(*) FROM notifications") == [(count,)]
    assert store.rows("SELECT COUNT(*) FROM outgoing_events") == [(count,)]
    for housekeeping in environments:
        housekeeping.database.close()


@pytest.mark.parametrize(
    "lock",
    [
        "SELECT 1 FROM users WHERE id = 'u1' FOR UPDATE",
        "SELECT 1 FROM devices WHERE id = 'd1' FOR UPDATE",
        "SELECT 1 FROM allocations WHERE id = 'allocation-of-d1' FOR UPDATE",
        "SELECT 1 FROM notification_preferences WHERE user_id = 'u1' FOR UPDATE",
        "SELECT 1 FROM event_versions WHERE id = 'u1' FOR UPDATE",
    ],
)
def test_locked_rows_are_left_for_the_next_run_and_delay_no_others(
    store: Store, housekeeping: Housekeeping, lock: str
) -> None:
    store.seed(many(3))
    store.run(
        "INSERT INTO notification_preferences SET user_id = 'u1', channels = '{}'",
        "INSERT INTO event_versions SET aggregate = 'user', id = 'u1', concern = 'quota',"
        " occurred_at = NOW()",
    )
    all_due(store)

    with locked(store.settings, lock):
        assert housekeeping.run("expire") == 2
    assert housekeeping.run("expire") == 1


def test_an_extension_between_search_and_lock_is_respected(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(many(2))
    all_due(store)
    before_transaction(housekeeping, 2, lambda: set_expiry(store, NOW + 60 * MINUTE, "d1"))

    assert housekeeping.run("expire") == 1

    assert store.rows("SELECT device_id FROM allocations WHERE status = 'ALLOCATED'") == [("d1",)]


def test_an_allocation_that_cannot_be_ended_does_not_affect_others(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(many(20))
    all_due(store)
    # As if the row of an expired allocation was reset by hand: its notification exists already.
    store.run(
        "INSERT INTO notifications SET id = 'n', user_id = 'u7', type = '', title = '',"
        " message = '', data = '{}', created_at = NOW(),"
        " dedupe_key = 'allocation_expired:allocation-of-d7'"
    )

    result = JobRunner(JOBS, housekeeping.tools).run(["expire"], Deadline(float("inf")))

    assert result == {"expire": {"status": "failed", "handled": 19}}
    assert store.rows("SELECT device_id FROM allocations WHERE status = 'ALLOCATED'") == [("d7",)]


def test_a_run_stops_after_a_transaction_when_its_time_is_over_and_the_next_run_continues(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(many(ALLOCATIONS_PER_TRANSACTION + 1))
    all_due(store)
    runner = JobRunner(JOBS, housekeeping.tools)

    first = runner.run(["expire"], Deadline(0))
    second = runner.run(["expire"], Deadline(float("inf")))

    assert first == {"expire": {"status": "unfinished", "handled": ALLOCATIONS_PER_TRANSACTION}}
    assert second == {"expire": {"status": "done", "handled": 1}}
