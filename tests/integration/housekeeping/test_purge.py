"""Rows past their retention are deleted, chunk by chunk, and no others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from housekeeping.jobs import purge_old
from housekeeping.settings import HousekeepingSettings
from scheduler.database.purge import ROWS_PER_STATEMENT
from scheduler.database.times import to_sql
from scheduler.observability.emf import Metrics
from tests.integration.housekeeping.conftest import Housekeeping, add_notification
from tests.integration.housekeeping.old_rows import add_old_rows
from tests.support.world import NOW, SECOND, held, world

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.store import Store

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def add_ended_allocation(store: Store, id_: str, released: datetime) -> None:
    store.run(
        f"INSERT INTO allocations SET id = '{id_}', user_id = 'u1', device_id = 'd1',"
        f" status = 'RELEASED', allocated_at = '{to_sql(released - DAY)}',"
        f" expires_at = '{to_sql(released)}', released_at = '{to_sql(released)}'"
    )


def add_event(store: Store, id_: int, at: datetime | None) -> None:
    moment = f"'{to_sql(at)}'" if at else "NULL"
    store.run(
        f"INSERT INTO outgoing_events SET id = {id_}, routing_key = 'x', body = '{{}}',"
        f" created_at = '{to_sql(NOW - 400 * DAY)}', published_at = {moment}"
    )


def add_processed(store: Store, id_: str, at: datetime) -> None:
    store.run(
        f"INSERT INTO processed_messages SET queue = 'q', message_id = '{id_}',"
        f" body_sha256 = REPEAT('x', 32), processed_at = '{to_sql(at)}'"
    )


def ids(store: Store, table: str, column: str = "id") -> list[object]:
    query = f"SELECT {column} FROM {table} ORDER BY {column}"  # noqa: S608 - constants
    return [id_ for (id_,) in store.rows(query)]


def test_allocations_are_kept_for_180_days_after_their_end(
    store: Store, housekeeping: Housekeeping
) -> None:
    add_ended_allocation(store, "old", NOW - 180 * DAY - SECOND)
    add_ended_allocation(store, "recent", NOW - 180 * DAY)

    assert housekeeping.run("purge") == 1
    assert ids(store, "allocations") == ["recent"]


def test_an_allocation_is_deleted_with_its_history(
    store: Store, housekeeping: Housekeeping
) -> None:
    for id_, released in (("old", NOW - 200 * DAY), ("recent", NOW - DAY)):
        add_ended_allocation(store, id_, released)
        store.run(
            f"INSERT INTO allocation_extensions SET allocation_id = '{id_}',"
            " extended_at = NOW(), expires_at = NOW()"
        )

    housekeeping.run("purge")

    assert ids(store, "allocation_extensions", "allocation_id") == ["recent"]


def test_an_active_allocation_is_never_deleted(store: Store, housekeeping: Housekeeping) -> None:
    store.seed(world(held("d1", since=NOW - 400 * DAY)))

    assert housekeeping.run("purge") == 0
    assert ids(store, "allocations") == ["allocation-of-d1"]


def test_notifications_are_kept_for_90_days_and_deleted_with_their_deliveries(
    store: Store, housekeeping: Housekeeping
) -> None:
    add_notification(store, "old", NOW - 90 * DAY - SECOND, status="sent")
    add_notification(store, "recent", NOW - 90 * DAY, status="sent")

    assert housekeeping.run("purge") == 1
    assert ids(store, "notifications") == ["recent"]
    assert ids(store, "notification_deliveries", "notification_id") == ["recent"]


def test_outgoing_events_are_kept_for_30_days_after_publishing(
    store: Store, housekeeping: Housekeeping
) -> None:
    add_event(store, 1, NOW - 30 * DAY - SECOND)
    add_event(store, 2, NOW - 30 * DAY)
    add_event(store, 3, None)

    assert housekeeping.run("purge") == 1
    assert ids(store, "outgoing_events") == [2, 3]


def test_processed_ids_are_kept_for_30_days(store: Store, housekeeping: Housekeeping) -> None:
    add_processed(store, "old", NOW - 30 * DAY - SECOND)
    add_processed(store, "recent", NOW - 30 * DAY)

    assert housekeeping.run("purge") == 1
    assert ids(store, "processed_messages", "message_id") == ["recent"]


def test_what_operators_did_to_letters_is_kept_for_30_days(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.insert(
        "letter_actions",
        "queue, message_id, action, caller, acted_at, aggregate",
        [
            ("q", id_, "discarded", "c", at, "user")
            for id_, at in (("old", NOW - 30 * DAY - SECOND), ("recent", NOW - 30 * DAY))
        ],
    )

    assert housekeeping.run("purge") == 1
    assert ids(store, "letter_actions", "message_id") == ["recent"]


def test_buckets_of_request_limits_are_kept_for_an_hour_after_they_are_full(
    store: Store, housekeeping: Housekeeping
) -> None:
    buckets = [("old", NOW - HOUR - SECOND), ("recent", NOW - HOUR)]
    store.insert("request_limits", "bucket, full_at", buckets)

    assert housekeeping.run("purge") == 1
    assert ids(store, "request_limits", "bucket") == ["recent"]


def test_the_retention_is_a_setting(store: Store, housekeeping: Housekeeping) -> None:
    add_ended_allocation(store, "old", NOW - 41 * DAY)
    changed = {"ALLOCATION_RETENTION_DAYS": 40, **housekeeping.variables}
    housekeeping.settings = HousekeepingSettings.model_validate(changed)

    assert housekeeping.run("purge") == 1


def test_a_retention_shorter_than_that_of_messages_is_refused(housekeeping: Housekeeping) -> None:
    with pytest.raises(ValidationError, match="NOTIFICATION_RETENTION_DAYS"):
        HousekeepingSettings.model_validate(
            {"NOTIFICATION_RETENTION_DAYS": 30, **housekeeping.variables}
        )


def test_a_backlog_is_deleted_in_chunks(store: Store, housekeeping: Housekeeping) -> None:
    add_old_rows(store, 2 * ROWS_PER_STATEMENT + 5, NOW - 400 * DAY)

    chunks = list(purge_old(housekeeping.tools, Metrics()))

    in_turn = [*[ROWS_PER_STATEMENT] * 4, *[ROWS_PER_STATEMENT] * 4, *[5] * 4]
    assert [count for count in chunks if count] == in_turn
    for table in ("allocations", "notifications", "notification_deliveries", "outgoing_events"):
        assert store.rows(f"SELECT COUNT(*) FROM {table}") == [(0,)]  # noqa: S608 - constants
