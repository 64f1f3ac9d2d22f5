"""Processed ids and notes are purged after a month, at most a thousand rows at a time."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from scheduler.database import purge as purging
from scheduler.database.connection import Database, connect
from scheduler.settings import RetentionSettings

if TYPE_CHECKING:
    from tests.support.store import Store

KEPT: Final = RetentionSettings.model_validate({})
NOW: Final = datetime(2026, 11, 24, tzinfo=UTC)
OLD: Final = 2500
YOUNG: Final = 300
COUNTS: Final = (
    "SELECT (SELECT COUNT(*) FROM processed_messages), (SELECT COUNT(*) FROM unapplied_messages),"
    " (SELECT COUNT(*) FROM delivery_attempts)"
)


def _remember(store: Store, prefix: str, count: int, at: datetime) -> None:
    moment, ids = at, [f"{prefix}{number}" for number in range(count)]
    store.insert(
        "processed_messages",
        "queue, message_id, body_sha256, processed_at",
        (("q", id_, b"\0" * 32, moment) for id_ in ids),
    )
    store.insert(
        "delivery_attempts",
        "queue, message_id, attempts, last_at",
        (("q", id_, 1, moment) for id_ in ids),
    )
    store.insert(
        "unapplied_messages",
        "queue, message_id, outcome, aggregate, first_at, last_at",
        (("q", id_, "duplicate", "user", moment, moment) for id_ in ids),
    )


def test_rows_older_than_thirty_days_are_purged_a_thousand_at_a_time(
    store: Store, database: Database
) -> None:
    _remember(store, "old", OLD, NOW - timedelta(days=30, seconds=1))
    _remember(store, "young", YOUNG, NOW - timedelta(days=30))

    chunks = list(purging.purge(database, KEPT, NOW))

    assert sum(chunks) == 3 * OLD
    assert max(chunks) <= 1000
    assert store.rows(COUNTS) == [(YOUNG, YOUNG, YOUNG)]


def test_interrupted_purge_is_finished_by_the_next(store: Store, database: Database) -> None:
    _remember(store, "old", OLD, NOW - timedelta(days=31))

    next(purging.purge(database, KEPT, NOW))
    assert store.rows(COUNTS) == [(OLD - 1000, OLD, OLD)]

    list(purging.purge(database, KEPT, NOW))
    assert store.rows(COUNTS) == [(0, 0, 0)]


@pytest.mark.parametrize(("old", "young"), [(OLD, YOUNG), (YOUNG, OLD)])
def test_purge_selects_by_the_index_of_age_and_deletes_by_key(
    store: Store, old: int, young: int
) -> None:
    _remember(store, "old", old, NOW - timedelta(days=31))
    _remember(store, "young", young, NOW)
    store.run("ANALYZE TABLE processed_messages, delivery_attempts, unapplied_messages")

    for rows in purging._MESSAGES[:3]:
        plan = store.rows(f"EXPLAIN {rows.delete_old}", NOW - timedelta(days=30), 1000)
        by_table = {row.table: row for row in plan}
        assert by_table.pop("kept").key == "PRIMARY", plan
        by_table.pop("<derived2>")
        (found,) = by_table.values()
        assert (found.key, found.type) == ("due_purge", "range"), plan
        assert "filesort" not in found.Extra, plan


def test_purge_does_not_wait_for_inserts_of_consumers(store: Store, database: Database) -> None:
    _remember(store, "old", OLD, NOW - timedelta(days=31))
    _remember(store, "young", YOUNG, NOW - timedelta(days=1))
    with closing(connect(store.settings)) as consumer, consumer.cursor() as cursor:
        cursor.execute(
            "INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)"
            " VALUES ('q', 'new', REPEAT('\\0', 32), %s)",
            (NOW,),
        )

        assert sum(purging.purge(database, KEPT, NOW)) == 3 * OLD
