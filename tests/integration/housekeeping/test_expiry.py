"""Allocations end when their time is over: once, completely, and without harm to others."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from housekeeping.jobs import JOBS
from housekeeping.runner import Housekeeper
from scheduler.database.active_allocations import ALLOCATIONS_PER_TRANSACTION
from scheduler.database.connection import connect
from scheduler.database.times import to_sql
from scheduler.deadline import Deadline
from scheduler.domain.model import Allocation
from scheduler.domain.state import Snapshot
from tests.integration.housekeeping.conftest import Keeper, before_transaction, ends
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW, SECOND, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store

DUE = NOW - SECOND


def many(count: int, users: int | None = None) -> Snapshot:
    """Return devices that are held, each by another user unless told."""
    return world(*(held(f"d{n}", by=f"u{n % (users or count)}") for n in range(count)))


def all_due(store: Store) -> None:
    store.run(f"UPDATE allocations SET expires_at = '{to_sql(DUE)}'")  # noqa: S608 - names of the test


def counts(store: Store) -> dict[str, int]:
    """Return how many allocations there are of each status."""
    return dict(store.rows("SELECT status, COUNT(*) FROM allocations GROUP BY status"))


def test_what_is_due_ends_and_its_user_and_the_neighbours_are_told(
    store: Store, keeper: Keeper
) -> None:
    store.seed(world(user("u1", locale="en"), held("d1", since=NOW - 60 * MINUTE)))
    ends(store, DUE)

    assert keeper.run("expire") == 1

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
    assert "Time used: 1 h 0 min" in notice.message
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
    assert keeper.nudges == 1


def test_what_is_not_due_stays(store: Store, keeper: Keeper) -> None:
    store.seed(world(held("d1"), held("d2")))
    ends(store, NOW, "d1")
    ends(store, NOW + timedelta(microseconds=1), "d2")

    assert keeper.run("expire") == 1

    assert counts(store) == {"ALLOCATED": 1, "EXPIRED": 1}


def test_nothing_expires_twice(store: Store, keeper: Keeper) -> None:
    store.seed(world(held("d1")))
    ends(store, DUE)
    keeper.run("expire")
    before = store.state()

    assert keeper.after(MINUTE).run("expire") == 0

    assert store.state() == before
    assert keeper.nudges == 1


def test_a_device_that_expired_and_was_given_away_again_expires_again(
    store: Store, keeper: Keeper
) -> None:
    store.seed(world(held("d1"), user("u2")))
    ends(store, DUE)
    keeper.run("expire")
    store.seed(Snapshot(allocations={"second": Allocation("second", "u2", "d1", NOW)}))
    ends(store, NOW + MINUTE)

    assert keeper.after(MINUTE).run("expire") == 1

    assert counts(store) == {"EXPIRED": 2}


def test_a_broken_device_ends_free_and_as_broken_as_before(store: Store, keeper: Keeper) -> None:
    store.seed(world(held("d1")))
    ends(store, DUE)
    store.run("UPDATE devices SET health = 'stopped'")

    keeper.run("expire")

    assert store.rows("SELECT status, health FROM devices") == [("available", "stopped")]


def test_more_than_a_chunk_expires_in_one_run(store: Store, keeper: Keeper) -> None:
    count = 2 * ALLOCATIONS_PER_TRANSACTION + 1
    store.seed(many(count, users=100))
    all_due(store)

    assert keeper.run("expire") == count

    assert counts(store) == {"EXPIRED": count}
    assert store.rows("SELECT DISTINCT status FROM devices") == [("available",)]
    assert store.rows("SELECT COUNT(*) FROM outgoing_events") == [(count,)]


@pytest.mark.parametrize("size", [1, 10, ALLOCATIONS_PER_TRANSACTION])
def test_a_chunk_costs_a_constant_number_of_statements(
    size: int, store: Store, keeper: Keeper
) -> None:
    store.seed(many(size))
    all_due(store)

    with counted(keeper.database) as statements:
        assert keeper.run("expire") == size

    # Two looks for a page, the second of which finds nothing; locking users, looking again, locking
    # devices, loading, and whether anybody waits.
    assert (statements.selects, statements.writes) == (2 + 7, 5)
    assert statements.commits == 3


def test_a_run_without_anything_due_costs_one_look(store: Store, keeper: Keeper) -> None:
    store.seed(many(10))

    with counted(keeper.database) as statements:
        assert keeper.run("expire") == 0

    assert (statements.selects, statements.writes) == (1, 0)


def test_two_housekeepers_at_once_never_expire_twice(store: Store, database_url: str) -> None:
    count = 4 * ALLOCATIONS_PER_TRANSACTION
    store.seed(many(count, users=300))
    all_due(store)
    keepers = [Keeper(database_url) for _ in range(4)]
    gate = threading.Barrier(len(keepers))
    handled = []

    def keep(keeper: Keeper) -> None:
        gate.wait()
        handled.append(keeper.run("expire"))

    threads = [threading.Thread(target=keep, args=[keeper]) for keeper in keepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handled.append(keepers[0].run("expire"))  # what one skipped because another was at it

    assert sum(handled) == count
    assert counts(store) == {"EXPIRED": count}
    assert store.rows("SELECT COUNT(*) FROM notifications") == [(count,)]
    assert store.rows("SELECT COUNT(*) FROM outgoing_events") == [(count,)]
    for keeper in keepers:
        keeper.database.close()


@pytest.mark.parametrize(("table", "id_"), [("users", "u1"), ("devices", "d1")])
def test_what_somebody_works_on_is_left_for_the_next_run_and_delays_nobody(
    store: Store, keeper: Keeper, table: str, id_: str
) -> None:
    store.seed(many(3))
    all_due(store)

    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} WHERE id = %s FOR UPDATE", (id_,))  # noqa: S608 - names of the test
        assert keeper.run("expire") == 2
        connection.rollback()  # the locks of a connection that closes last a moment longer
    assert keeper.run("expire") == 1


def test_an_extension_that_comes_between_finding_and_locking_counts(
    store: Store, keeper: Keeper
) -> None:
    store.seed(many(2))
    all_due(store)
    before_transaction(keeper, 2, lambda: ends(store, NOW + 60 * MINUTE, "d1"))

    assert keeper.run("expire") == 1

    assert store.rows("SELECT device_id FROM allocations WHERE status = 'ALLOCATED'") == [("d1",)]


def test_one_allocation_that_cannot_end_costs_no_other(store: Store, keeper: Keeper) -> None:
    store.seed(many(20))
    all_due(store)
    # Somebody set the row of an expired allocation back by hand: its notice exists already.
    store.run(
        "INSERT INTO notifications SET id = 'n', user_id = 'u7', type = '', title = '',"
        " message = '', data = '{}', created_at = NOW(),"
        " dedupe_key = 'allocation_expired:allocation-of-d7'"
    )

    result = Housekeeper(JOBS, keeper.tools).run(["expire"], Deadline(float("inf")))

    assert result == {"expire": {"status": "failed", "handled": 19}}
    assert store.rows("SELECT device_id FROM allocations WHERE status = 'ALLOCATED'") == [("d7",)]


def test_a_run_whose_time_is_over_ends_after_a_chunk_and_the_next_one_goes_on(
    store: Store, keeper: Keeper
) -> None:
    store.seed(many(ALLOCATIONS_PER_TRANSACTION + 1))
    all_due(store)
    housekeeper = Housekeeper(JOBS, keeper.tools)

    first = housekeeper.run(["expire"], Deadline(0))
    second = housekeeper.run(["expire"], Deadline(float("inf")))

    assert first == {"expire": {"status": "unfinished", "handled": ALLOCATIONS_PER_TRANSACTION}}
    assert second == {"expire": {"status": "done", "handled": 1}}
