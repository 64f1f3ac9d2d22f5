"""Throws away what is too old, in chunks found by an index, each with a commit of its own.

===========================================  ============================  ===================
what                                         kept                          index
===========================================  ============================  ===================
ids of messages, notes, keys of requests     30 days                       ``due_purge``
allocations that ended                       ALLOCATION_RETENTION_DAYS     ``due_purge``
places in line, reservations, that ended     ALLOCATION_RETENTION_DAYS     ``due_purge``
notifications with their deliveries          NOTIFICATION_RETENTION_DAYS   ``due_purge``
outgoing events that were published          OUTGOING_RETENTION_DAYS       ``unpublished``
===========================================  ============================  ===================

All else has a row for each user or device ever known, which must stay: the mark of a deleted one
is what keeps a late event from bringing it back.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.database.purge import purge as purge_messages
from scheduler.database.retry import run_again_when_overtaken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

CHUNK: Final = 1000
"""Rows a statement; others wait for at most that many row locks."""

# The index is forced: once most of a table is old, the optimizer would rather scan all of it.
_OLD: Final = """
    SELECT id FROM {table} FORCE INDEX ({index}) WHERE {ended} < %s ORDER BY {ended} LIMIT %s
"""
_DELETE: Final = """
    DELETE FROM {table} WHERE {key} IN %s
"""


class _Kept(NamedTuple):
    """Rows that are kept for a time after they ended, and the table of what belongs to them."""

    table: str
    ended: str
    found_by: str = "due_purge"
    belongings: tuple[str, str] | None = None

    @property
    def search(self) -> str:
        return _OLD.format(table=self.table, index=self.found_by, ended=self.ended)

    @property
    def deletions(self) -> Iterator[str]:
        if self.belongings:
            table, key = self.belongings
            yield _DELETE.format(table=table, key=key)
        yield _DELETE.format(table=self.table, key="id")


_ALLOCATIONS: Final = (
    _Kept("allocations", "released_at", belongings=("allocation_extensions", "allocation_id")),
    _Kept("waiting", "ended_at"),
    _Kept("reservations", "ended_at"),
)
_NOTIFICATIONS: Final = _Kept(
    "notifications", "created_at", belongings=("notification_deliveries", "notification_id")
)
_OUTGOING: Final = _Kept("outgoing_events", "published_at", found_by="unpublished")


def purge(tools: Tools, metrics: Metrics) -> Iterator[int]:  # noqa: ARG001 - a job's signature
    """Delete what is past its retention."""
    now, kept = tools.clock(), tools.settings
    yield from purge_messages(tools.database, now)
    for rows, days in (
        *((rows, kept.allocation_retention_days) for rows in _ALLOCATIONS),
        (_NOTIFICATIONS, kept.notification_retention_days),
        (_OUTGOING, kept.outgoing_retention_days),
    ):
        yield from _chunks(tools, rows, now - timedelta(days=days))


def _chunks(tools: Tools, rows: _Kept, before: datetime) -> Iterator[int]:
    def run() -> int:
        with tools.database.transaction() as cursor:
            return _delete(cursor, rows, before)

    removed = CHUNK
    while removed == CHUNK:
        removed = run_again_when_overtaken(run)
        yield removed


def _delete(cursor: Cursor, rows: _Kept, before: datetime) -> int:
    """Delete at most a chunk of what is older, by key, and return how much."""
    cursor.execute(rows.search, (before, CHUNK))
    ids = tuple(id_ for (id_,) in cursor.fetchall())
    if ids:
        for deletion in rows.deletions:
            cursor.execute(deletion, (ids,))
    return len(ids)
