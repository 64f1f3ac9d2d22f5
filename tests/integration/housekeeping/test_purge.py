"""What is past its retention is thrown away, chunk by chunk; nothing else is."""

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
from tests.integration.housekeeping.conftest import Keeper, deliver
from tests.integration.housekeeping.past import live_through
from tests.support.world import NOW, SECOND, held, world

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.store import Store

DAY = timedelta(days=1)


def ended(store: Store, id_: str, released: datetime) -> None:
    store.run(
        f"INSERT INTO allocations SET id = '{id_}', user_id = 'u1', device_id = 'd1',"
        f" status = 'RELEASED', allocated_at = '{to_sql(released - DAY)}',"
        f" expires_at = '{to_sql(released)}', released_at = '{to_sql(released)}'"
    )


def published(store: Store, id_: int, at: datetime | None) -> None:
    moment = f"'{to_sql(at)}'" if at else "NULL"
    store.run(
        f"INSERT INTO outgoing_events SET id = {id_}, routing_key = 'x', body = '{{}}',"
        f" created_at = '{to_sql(NOW - 400 * DAY)}', published_at = {moment}"
    )


def processed(store: Store, id_: str, at: datetime) -> None:
    store.run(
        f"INSERT INTO processed_messages SET queue = 'q', message_id = '{id_}',"
        f" body_sha256 = REPEAT('x', 32), processed_at = '{to_sql(at)}'"
    )


def ids(store: Store, table: str, column: str = "id") -> list[object]:
    query = f"SELECT {column} FROM {table} ORDER BY {column}"  # noqa: S608 - names of the test
    return [id_ for (id_,) in store.rows(query)]


def test_allocations_are_kept_for_half_a_year_after_their_end(store: Store, keeper: Keeper) -> None:
    ended(store, "old", NOW - 180 * DAY - SECOND)
    ended(store, "young", NOW - 180 * DAY)

    assert keeper.run("purge") == 1
    assert ids(store, "allocations") == ["young"]


def test_an_allocation_goes_with_its_history(store: Store, keeper: Keeper) -> None:
    for id_, released in (("old", NOW - 200 * DAY), ("young", NOW - DAY)):
        ended(store, id_, released)
        store.run(
            f"INSERT INTO allocation_extensions SET allocation_id = '{id_}',"
            " extended_at = NOW(), expires_at = NOW()"
        )

    keeper.run("purge")

    assert ids(store, "allocation_extensions", "allocation_id") == ["young"]


def test_an_allocation_that_runs_is_never_thrown_away(store: Store, keeper: Keeper) -> None:
    store.seed(world(held("d1", since=NOW - 400 * DAY)))

    assert keeper.run("purge") == 0
    assert ids(store, "allocations") == ["allocation-of-d1"]


def test_notifications_are_kept_for_a_quarter_and_go_with_their_deliveries(
    store: Store, keeper: Keeper
) -> None:
    deliver(store, "old", NOW - 90 * DAY - SECOND, status="sent")
    deliver(store, "young", NOW - 90 * DAY, status="sent")

    assert keeper.run("purge") == 1
    assert ids(store, "notifications") == ["young"]
    assert ids(store, "notification_deliveries", "notification_id") == ["young"]


def test_outgoing_events_are_kept_for_a_month_after_they_were_published(
    store: Store, keeper: Keeper
) -> None:
    published(store, 1, NOW - 30 * DAY - SECOND)
    published(store, 2, NOW - 30 * DAY)
    published(store, 3, None)

    assert keeper.run("purge") == 1
    assert ids(store, "outgoing_events") == [2, 3]


def test_processed_ids_are_kept_for_a_month(store: Store, keeper: Keeper) -> None:
    processed(store, "old", NOW - 30 * DAY - SECOND)
    processed(store, "young", NOW - 30 * DAY)

    assert keeper.run("purge") == 1
    assert ids(store, "processed_messages", "message_id") == ["young"]


def test_retentions_are_settings(store: Store, keeper: Keeper) -> None:
    ended(store, "old", NOW - 41 * DAY)
    changed = {"ALLOCATION_RETENTION_DAYS": 40, **keeper.variables}
    keeper.settings = HousekeepingSettings.model_validate(changed)

    assert keeper.run("purge") == 1


def test_a_retention_shorter_than_the_life_of_a_message_is_refused(keeper: Keeper) -> None:
    with pytest.raises(ValidationError, match="NOTIFICATION_RETENTION_DAYS"):
        HousekeepingSettings.model_validate({"NOTIFICATION_RETENTION_DAYS": 30, **keeper.variables})


def test_what_piled_up_goes_in_chunks_between_which_a_run_may_end(
    store: Store, keeper: Keeper
) -> None:
    live_through(store, 2 * ROWS_PER_STATEMENT + 5, NOW - 400 * DAY)

    chunks = list(purge_old(keeper.tools, Metrics()))

    of_each = [ROWS_PER_STATEMENT, ROWS_PER_STATEMENT, 5]
    assert [count for count in chunks if count] == of_each * 4
    for table in ("allocations", "notifications", "notification_deliveries", "outgoing_events"):
        assert store.rows(f"SELECT COUNT(*) FROM {table}") == [(0,)]  # noqa: S608 - names of the test
