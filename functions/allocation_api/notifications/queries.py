"""What is read of notifications, and the mark that one was read."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scheduler.ids import is_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery of a notification."""

    channel: str
    status: str
    attempts: int
    last_error: str | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """A notification with its deliveries."""

    id: str
    type: str
    title: str
    message: str
    data: dict[str, Any]
    created_at: datetime
    read_at: datetime | None
    deliveries: list[DeliveryRow]


_SELECT: Final = """
    SELECT id, type, title, message, data, created_at, read_at FROM notifications
    WHERE user_id = %s
"""
_ONE: Final = f"{_SELECT} AND id = %s"
_INBOX: Final = f"{_SELECT} {{filters}} ORDER BY id DESC LIMIT %s"
_DELIVERIES: Final = """
    SELECT notification_id, channel, status, attempts, last_error, sent_at
    FROM notification_deliveries WHERE notification_id IN %s
    ORDER BY notification_id, channel
"""
# The first reading counts.
_MARK: Final = """
    UPDATE notifications SET read_at = %s WHERE id = %s AND user_id = %s AND read_at IS NULL
"""


def inbox(
    cursor: Cursor, user_id: str, before: str | None, limit: int, *, unread: bool
) -> list[NotificationRow]:
    """Return a user's notifications, newest first.

    Args:
        cursor: of a transaction.
        user_id: whose.
        before: the last id of the page before; None means from the newest.
        limit: how many at most.
        unread: only what was not yet read.
    """
    filters = "AND id < %s " * bool(before) + "AND read_at IS NULL" * unread
    parameters = (user_id, before, limit) if before else (user_id, limit)
    cursor.execute(_INBOX.format(filters=filters), parameters)
    return _with_deliveries(cursor, cursor.fetchall())


def find(cursor: Cursor, user_id: str, notification_id: str) -> NotificationRow | None:
    """Return one notification of a user; None if he has none of that id."""
    if not is_uuid(notification_id):
        return None
    cursor.execute(_ONE, (user_id, notification_id))
    found = _with_deliveries(cursor, cursor.fetchall())
    return found[0] if found else None


def mark_read(cursor: Cursor, user_id: str, notification_id: str, now: datetime) -> None:
    """Note when a notification was read first."""
    if not is_uuid(notification_id):
        return
    cursor.execute(_MARK, (now, notification_id, user_id))


def _with_deliveries(cursor: Cursor, rows: Sequence[tuple[Any, ...]]) -> list[NotificationRow]:
    deliveries = _deliveries(cursor, tuple(row[0] for row in rows)) if rows else {}
    return [
        NotificationRow(
            id_,
            type_,
            title,
            message,
            json.loads(data),
            created_at,
            read_at,
            deliveries.get(id_, []),
        )
        for id_, type_, title, message, data, created_at, read_at in rows
    ]


def _deliveries(cursor: Cursor, ids: tuple[str, ...]) -> dict[str, list[DeliveryRow]]:
    deliveries: dict[str, list[DeliveryRow]] = defaultdict(list)
    cursor.execute(_DELIVERIES, (ids,))
    for id_, channel, status, attempts, last_error, sent_at in cursor.fetchall():
        row = DeliveryRow(channel, status, attempts, last_error, sent_at)
        deliveries[id_].append(row)
    return deliveries
