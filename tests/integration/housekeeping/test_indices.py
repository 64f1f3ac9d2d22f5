"""However much lies in the past, a run reads only what is due: by EXPLAIN and by counting."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from housekeeping.jobs import JOBS
from scheduler.database.brake import engage
from tests.integration.housekeeping.conftest import Keeper, bare, deliver, ends, line
from tests.integration.housekeeping.past import live_through
from tests.integration.housekeeping.test_reservations_start import reserved
from tests.support.explaining import explain
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store

PAST = 100_000
FEW = 1000
JOBS_OF_THE_DATABASE = [job for job in JOBS if job != "measure"]

_READS = "SHOW SESSION STATUS LIKE 'Handler\\_read\\_%'"
_SEARCHING = ("SELECT", "DELETE", "UPDATE")
_TABLES = "allocations, notifications, notification_deliveries, outgoing_events, processed_messages"


def rows_read(keeper: Keeper) -> int:
    with keeper.database.transaction() as cursor:
        cursor.execute(_READS)
        return sum(int(value) for _, value in cursor.fetchall())


@pytest.fixture
def past(store: Store) -> None:
    """A database with a long past, and in the present something to do for every job."""
    live_through(store, PAST, NOW - timedelta(days=20))
    store.seed(world(user("u3", billing_hold=True), *(held(f"d{n}", by=f"u{n}") for n in range(9))))
    ends(store, NOW - SECOND, "d1")
    ends(store, NOW + MINUTE, "d2")
    store.run("UPDATE devices SET status = 'available' WHERE id = 'd4'")
    store.run("UPDATE devices SET health = 'failed' WHERE id = 'd6'")
    # Two get what expiry and the blocked user leave, the third what was free before.
    store.seed(world(user("u10"), user("u11"), user("u12"), device("spare")))
    store.seed(world(user("u13"), device("another")))
    for user_id in ("u10", "u11", "u12"):
        line(store, user_id)
    line(store, "u4", until=NOW)
    reserved(store, "u13", "another")
    deliver(store, "late", NOW - 11 * MINUTE)
    bare(store)
    store.run("UPDATE outgoing_events SET published_at = '2025-01-01' ORDER BY id LIMIT 4")
    store.run(f"ANALYZE TABLE {_TABLES}")


@pytest.mark.usefixtures("past")
def test_a_run_reads_only_what_is_due_however_much_lies_in_the_past(keeper: Keeper) -> None:
    plans, read, handled = explain(keeper.database), {}, {}
    for job in JOBS_OF_THE_DATABASE:
        if job == "brake":  # engaged earlier, it would hold what the reconciler releases
            with keeper.database.transaction() as cursor:
                engage(cursor, NOW)
        before = rows_read(keeper)
        handled[job] = keeper.run(job)
        read[job] = rows_read(keeper) - before

    assert {job: count for job, count in handled.items() if not count} == {}
    assert {job: count for job, count in read.items() if count > FEW} == {}
    assert [plan for plan in plans if plan["rows"] and int(plan["rows"]) > FEW] == []
    assert used(plans) >= {
        ("a", "due_expiry"),
        ("warning", "once"),
        ("d", "one_per_channel"),
        ("n", "due_purge"),
        ("notification_deliveries", "due"),
        ("outgoing_events", "unpublished"),
        ("allocations", "due_purge"),
        ("processed_messages", "due_purge"),
    }


def used(plans: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(plan["table"], plan["key"]) for plan in plans}
