"""Deletes rows that are past their retention, in chunks that are committed one by one.

===========================================  ============================  ===================
rows                                         kept for                        index
===========================================  ============================  ===================
message ids, given ids, redelivery notes     30 days                       ``due_purge``
idempotency keys                             30 days                       ``due_purge``
notes on messages that were not applied      30 days                       ``due_purge``
what operators did to dead letters           30 days                       ``due_purge``
allocations that ended                       ALLOCATION_RETENTION_DAYS     ``due_purge``
waiting entries, reservations, that ended    ALLOCATION_RETENTION_DAYS     ``due_purge``
notifications with their deliveries          NOTIFICATION_RETENTION_DAYS   ``due_purge``
outgoing events that were published          OUTGOING_RETENTION_DAYS       ``unpublished``
changes by operators                         400 days                      ``due_purge``
everything of a canary                       1 hour                        ``PRIMARY``
buckets of request limits that are full      1 hour                        ``due_purge``
===========================================  ============================  ===================

The other tables have one row for each user or device ever seen. These stay: the mark of a deleted
device keeps a late event from recreating it.
"""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.database import canaries
from scheduler.database.processed_messages import MESSAGES_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.connection import Database
    from scheduler.settings import RetentionSettings

ROWS_PER_STATEMENT: Final = 1000
"""Other transactions wait for at most this many row locks."""
CHUNKS_PER_RUN: Final = 15
"""Full ones, of all tables together. docs/housekeeping.md has what a run costs."""

# Old rows are found by an index and deleted by key. If most rows are old, a plain DELETE … ORDER BY
# … LIMIT scans the whole table and waits for rows that consumers have just inserted. The index is
# forced because the optimizer would scan as well.
_SELECT_OLD: Final = """
    SELECT {key} FROM {table} FORCE INDEX ({index}) WHERE {age} < %s ORDER BY {age} LIMIT %s
"""
_DELETE_OLD: Final = "DELETE kept FROM {table} kept JOIN ({select_old}) old USING ({key})"
_DELETE_BY_KEY: Final = "DELETE FROM {table} WHERE {key} IN %s"


class _RetentionRule(NamedTuple):
    """Rows of a table that are deleted some time after the time in the column ``age``.

    ``children`` is a table, and its column, whose rows are deleted with them.
    """

    table: str
    age: str
    key: str = "id"
    found_by: str = "due_purge"
    children: tuple[str, str] | None = None

    @property
    def select_old(self) -> str:
        """Return the statement that selects the keys of old rows."""
        return _SELECT_OLD.format(key=self.key, table=self.table, index=self.found_by, age=self.age)

    @property
    def delete_old(self) -> str:
        """Return the statement that deletes old rows without children."""
        return _DELETE_OLD.format(table=self.table, select_old=self.select_old, key=self.key)


_MESSAGES: Final = (
    _RetentionRule("processed_messages", "processed_at", "queue, message_id"),
    _RetentionRule("unapplied_messages", "last_at", "queue, message_id, outcome"),
    _RetentionRule("delivery_attempts", "last_at", "queue, message_id"),
    _RetentionRule("letter_actions", "acted_at"),
    _RetentionRule("unidentified_messages", "received_at", "queue, message_id"),
    _RetentionRule("idempotency_keys", "created_at", "user_id, idempotency_key"),
)
_ALLOCATIONS: Final = (
    _RetentionRule(
        "allocations", "released_at", children=("allocation_extensions", "allocation_id")
    ),
    _RetentionRule("waiting", "ended_at"),
    _RetentionRule("reservations", "ended_at"),
)
_NOTIFICATIONS: Final = _RetentionRule(
    "notifications", "created_at", children=("notification_deliveries", "notification_id")
)
_AUDIT: Final = _RetentionRule("operator_actions", "began_at")
_AUDIT_KEPT: Final = timedelta(days=400)
_CANARIES_KEPT: Final = timedelta(hours=1)
"""Much longer than a run of `scheduler-ops smoke`, which may have been killed half-way."""
_LIMITS: Final = _RetentionRule("request_limits", "full_at", "bucket")
_LIMITS_KEPT: Final = timedelta(hours=1)
_OUTGOING: Final = _RetentionRule("outgoing_events", "published_at", found_by="unpublished")


class _Purged(NamedTuple):
    """Deletes a chunk of a table; if it deleted as many as a full one has, there may be more."""

    delete: Callable[[Cursor], int]
    full_chunk: int


def purge(database: Database, settings: RetentionSettings, now: datetime) -> Iterator[int]:
    """Delete rows that are past their retention, and yield the number of rows after each chunk.

    Tables take turns, so that a backlog of one does not keep the others waiting. The caller may
    stop after any chunk; the next run continues.

    Raises:
        DatabaseUnavailableError: the database is unavailable; committed chunks stay deleted.
    """
    tables = deque(_tables(settings, now))
    full = 0
    while tables and full < CHUNKS_PER_RUN:
        table = tables.popleft()
        removed = database.run(table.delete)
        yield removed
        if removed >= table.full_chunk:
            full += 1
            tables.append(table)


def _tables(settings: RetentionSettings, now: datetime) -> Iterator[_Purged]:
    allocations = timedelta(days=settings.allocation_retention_days)
    for rows, kept in (
        *((rows, MESSAGES_KEPT) for rows in _MESSAGES),
        *((rows, allocations) for rows in _ALLOCATIONS),
        (_NOTIFICATIONS, timedelta(days=settings.notification_retention_days)),
        (_OUTGOING, timedelta(days=settings.outgoing_retention_days)),
        (_AUDIT, _AUDIT_KEPT),
        (_LIMITS, _LIMITS_KEPT),
    ):
        yield _Purged(partial(_delete, rows=rows, before=now - kept), ROWS_PER_STATEMENT)
    yield _Purged(partial(canaries.delete_older, before=now - _CANARIES_KEPT), 1)


def _delete(cursor: Cursor, rows: _RetentionRule, before: datetime) -> int:
    """Delete up to `ROWS_PER_STATEMENT` old rows, and return how many."""
    if rows.children is None:
        return cursor.execute(rows.delete_old, (before, ROWS_PER_STATEMENT))
    cursor.execute(rows.select_old, (before, ROWS_PER_STATEMENT))
    ids = tuple(id_ for (id_,) in cursor.fetchall())
    if ids:
        for table, key in (rows.children, (rows.table, rows.key)):
            cursor.execute(_DELETE_BY_KEY.format(table=table, key=key), (ids,))
    return len(ids)
