"""A run reads only what is due, however many old rows there are: by EXPLAIN and by counting."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from housekeeping.jobs import JOBS
from scheduler.database.brake import engage
from tests.integration.housekeeping.conftest import (
    Housekeeping,
    add_bare_notification,
    add_entry,
    add_notification,
    add_reservation,
    rows_read,
    set_expiry,
)
from tests.integration.housekeeping.old_rows import add_old_rows
from tests.support.explaining import explain
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store

PAST = 100_000
FEW = 1000
JOBS_OF_THE_DATABASE = [job for job in JOBS if job not in {"measure", "erase-deleted-users"}]

_SEARCHING = ("SELECT", "DELETE", "UPDATE")
_TABLES = "allocations, notifications, notification_deliveries, outgoing_events, processed_messages"


@pytest.fixture
def past(store: Store) -> None:
    """A database with many old rows, and something to do for every job."""
    add_old_rows(store, PAST, NOW - timedelta(days=20))
    store.seed(world(user("u3", billing_hold=True), *(held(f"d{n}", by=f"u{n}") for n in range(9))))
    set_expiry(store, NOW - SECOND, "d1")
    set_expiry(store, NOW + MINUTE, "d2")
    store.run("UPDATE devices SET status = 'available' WHERE id = 'd4'")
    store.run("UPDATE devices SET health = 'failed' WHERE id = 'd6'")
    # Two get the devices freed by expiry and by the blocked user, the third a free one.
    store.seed(world(user("u10"), user("u11"), user("u12"), device("spare")))
    store.seed(world(user("u13"), device("another")))
    for user_id in ("u10", "u11", "u12"):
        add_entry(store, user_id)
    add_entry(store, "u4", until=NOW)
    add_reservation(store, "u13", "another")
    add_notification(store, "late", NOW - 11 * MINUTE)
    add_bare_notification(store)
    store.run("UPDATE outgoing_events SET published_at = '2025-01-01' ORDER BY id LIMIT 4")
    store.run(f"ANALYZE TABLE {_TABLES}")


@pytest.mark.usefixtures("past")
def test_a_run_reads_only_what_is_due(housekeeping: Housekeeping) -> None:
    plans, read, handled = explain(housekeeping.database), {}, {}
    for job in JOBS_OF_THE_DATABASE:
        if job == "brake":  # not earlier: the brake would hold releases of the reconciler
            with housekeeping.database.transaction() as cursor:
                engage(cursor, NOW)
        before = rows_read(housekeeping)
        handled[job] = housekeeping.run(job)
        read[job] = rows_read(housekeeping) - before

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
