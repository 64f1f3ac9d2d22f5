"""What became of a canary (`scheduler.domain.model`), and the deletion of all its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.model import CANARY_PREFIX, canary_allocation

if TYPE_CHECKING:
    from datetime import datetime

    from pymysql.cursors import Cursor

_ALLOCATION: Final = "SELECT status, release_code FROM allocations WHERE id = %s"
_APPLIED: Final = "SELECT outcome FROM processed_messages WHERE queue = %s AND message_id = %s"
_UNAPPLIED: Final = """
    SELECT outcome, times, error FROM unapplied_messages WHERE queue = %s AND message_id = %s
    ORDER BY last_at DESC LIMIT 1
"""
_DELIVERIES: Final = """
    SELECT d.status, d.last_error
    FROM notifications n FORCE INDEX (inbox)
    JOIN notification_deliveries d ON d.notification_id = n.id
    WHERE n.user_id = %s AND n.type = %s
"""
_PUBLISHED: Final = """
    SELECT published_at IS NOT NULL FROM outgoing_events FORCE INDEX (of_allocation)
    WHERE allocation_id = %s AND routing_key = %s
"""

_IDS: Final = """
    SELECT id FROM {table} FORCE INDEX (PRIMARY)
    WHERE id LIKE %s AND created_at < %s ORDER BY id LIMIT %s
"""
_PER_TRANSACTION: Final = 100
# Each table with an index on the column; `allocations` after those that are found by its ids, and
# devices and users last, by which a run that was interrupted finds what is left.
_DELETIONS: Final = (
    """DELETE d FROM notification_deliveries d JOIN notifications n FORCE INDEX (inbox)
       ON d.notification_id = n.id WHERE n.user_id IN %(ids)s""",
    "DELETE FROM notifications WHERE user_id IN %(ids)s",
    "DELETE FROM outgoing_events WHERE allocation_id IN %(allocations)s",
    "DELETE FROM allocations WHERE id IN %(allocations)s",
    """DELETE FROM processed_messages
       WHERE aggregate IN ('user', 'device') AND subject_id IN %(ids)s""",
    """DELETE FROM unapplied_messages
       WHERE aggregate IN ('user', 'device') AND subject_id IN %(ids)s""",
    """DELETE FROM letter_actions
       WHERE aggregate IN ('user', 'device') AND subject_id IN %(ids)s""",
    "DELETE FROM event_versions WHERE aggregate IN ('user', 'device') AND id IN %(ids)s",
    "DELETE FROM early_reports WHERE device_id IN %(ids)s",
    "DELETE FROM erasures WHERE user_id IN %(ids)s",
    "DELETE FROM devices WHERE id IN %(ids)s",
    "DELETE FROM users WHERE id IN %(ids)s",
)


class Unapplied(NamedTuple):
    """The last time that a message had no effect; ``times`` counts that outcome."""

    outcome: str
    times: int
    error: str | None


def find_allocation(cursor: Cursor, allocation_id: str) -> tuple[str, str | None] | None:
    """Return the status of an allocation and the code of its release; None if there is none."""
    cursor.execute(_ALLOCATION, (allocation_id,))
    return cursor.fetchone()


def is_applied(cursor: Cursor, queue: str, message_id: str) -> bool:
    """Return whether a message was applied."""
    cursor.execute(_APPLIED, (queue, message_id))
    return cursor.fetchone() == ("applied",)


def find_unapplied(cursor: Cursor, queue: str, message_id: str) -> Unapplied | None:
    """Return what last kept a message from being applied, if anything did."""
    cursor.execute(_UNAPPLIED, (queue, message_id))
    row = cursor.fetchone()
    return Unapplied(*row) if row else None


def deliveries(cursor: Cursor, user_id: str, type_: str) -> list[tuple[str, str | None]]:
    """Return status and last error of each delivery of a user's notifications of a type."""
    cursor.execute(_DELIVERIES, (user_id, type_))
    return list(cursor.fetchall())


def is_published(cursor: Cursor, allocation_id: str, routing_key: str) -> bool:
    """Return whether the broker has confirmed an event about an allocation."""
    cursor.execute(_PUBLISHED, (allocation_id, routing_key))
    rows = cursor.fetchall()
    return bool(rows) and all(published for (published,) in rows)


def delete_older(cursor: Cursor, before: datetime) -> int:
    """Delete the rows of some canaries that were made before a time, and return how many canaries.

    Messages of canaries that arrive later create new rows, which a later call deletes.
    """
    ids: set[str] = set()
    for table in ("devices", "users"):
        cursor.execute(_IDS.format(table=table), (f"{CANARY_PREFIX}%", before, _PER_TRANSACTION))
        ids.update(id_ for (id_,) in cursor.fetchall())
    if ids:
        found = {
            "ids": tuple(ids),
            "allocations": tuple(map(canary_allocation, ids)),
        }
        for statement in _DELETIONS:
            cursor.execute(statement, found)
    return len(ids)
