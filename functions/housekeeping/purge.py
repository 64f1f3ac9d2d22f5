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
from typing import TYPE_CHECKING, Final, TypeAlias

from housekeeping.tools import naive
from scheduler.database.purge import purge as purge_messages
from scheduler.database.retry import run_again_when_overtaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

CHUNK: Final = 1000
"""Rows a statement; others wait for at most that many row locks."""

_OLD_ALLOCATIONS: Final = """
    SELECT id FROM allocations WHERE released_at < %s ORDER BY released_at LIMIT %s
"""
_EXTENSIONS: Final = """
    DELETE FROM allocation_extensions WHERE allocation_id IN %s
"""
_ALLOCATIONS: Final = """
    DELETE FROM allocations WHERE id IN %s
"""
_WAITING: Final = """
    DELETE FROM waiting WHERE ended_at < %s ORDER BY ended_at LIMIT %s
"""
_RESERVATIONS: Final = """
    DELETE FROM reservations WHERE ended_at < %s ORDER BY ended_at LIMIT %s
"""
_OUTGOING: Final = """
    DELETE FROM outgoing_events WHERE published_at < %s ORDER BY published_at LIMIT %s
"""
_OLD_NOTIFICATIONS: Final = """
    SELECT id FROM notifications WHERE created_at < %s ORDER BY created_at LIMIT %s
"""
_DELIVERIES: Final = """
    DELETE FROM notification_deliveries WHERE notification_id IN %s
"""
_NOTIFICATIONS: Final = """
    DELETE FROM notifications WHERE id IN %s
"""

Deletion: TypeAlias = "Callable[[Cursor, datetime], int]"
"""Deletes at most a chunk of what is older, and returns how much."""


def purge(tools: Tools, metrics: Metrics) -> Iterator[int]:  # noqa: ARG001 - a job's signature
    """Delete what is past its retention."""
    now, kept = tools.clock(), tools.settings
    yield from purge_messages(tools.database, now)
    for deletion in (_delete_allocations, _delete(_WAITING), _delete(_RESERVATIONS)):
        yield from _chunks(tools, deletion, now, kept.allocation_retention_days)
    yield from _chunks(tools, _delete_notifications, now, kept.notification_retention_days)
    yield from _chunks(tools, _delete(_OUTGOING), now, kept.outgoing_retention_days)


def _chunks(tools: Tools, delete: Deletion, now: datetime, days: int) -> Iterator[int]:
    before = naive(now - timedelta(days=days))

    def run() -> int:
        with tools.database.transaction() as cursor:
            return delete(cursor, before)

    removed = CHUNK
    while removed == CHUNK:
        removed = run_again_when_overtaken(run)
        yield removed


def _delete(statement: str) -> Deletion:
    return lambda cursor, before: cursor.execute(statement, (before, CHUNK))


def _delete_allocations(cursor: Cursor, before: datetime) -> int:
    return _delete_found(cursor, before, _OLD_ALLOCATIONS, _EXTENSIONS, _ALLOCATIONS)


def _delete_notifications(cursor: Cursor, before: datetime) -> int:
    return _delete_found(cursor, before, _OLD_NOTIFICATIONS, _DELIVERIES, _NOTIFICATIONS)


def _delete_found(cursor: Cursor, before: datetime, search: str, *deletions: str) -> int:
    cursor.execute(search, (before, CHUNK))
    ids = tuple(id_ for (id_,) in cursor.fetchall())
    if ids:
        for deletion in deletions:
            cursor.execute(deletion, (ids,))
    return len(ids)
