"""Writes notifications in the transaction of their cause; erases those of deleted users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.notification.plan import plan
from scheduler.notification.render import render

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymysql.cursors import Cursor

    from scheduler.domain.work import Work
    from scheduler.ids import NewId

_INSERT_NOTIFICATIONS: Final = """
    INSERT INTO notifications
        (id, user_id, type, title, message, data, dedupe_key, urgent, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_INSERT_DELIVERIES: Final = """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)
    VALUES (%s, %s, %s)
"""
# Skipped and failed deliveries were not sent either, and their texts would stay until the purge.
# A dispatcher that is sending one of these records its result only while the row is pending, so it
# cannot undo this. The query plan is forced because an UPDATE locks every row that it reads: from
# the user's notifications these are few, from the pending deliveries it would block the dispatcher.
_ERASE_UNSENT: Final = """
    UPDATE notifications n FORCE INDEX (inbox)
    STRAIGHT_JOIN notification_deliveries d ON d.notification_id = n.id
    SET d.status = IF(d.status = 'failed', 'failed', 'skipped'), d.last_error = 'user deleted',
        n.title = '', n.message = '', n.data = '{}'
    WHERE n.user_id IN %s AND d.status <> 'sent'
"""
_ERASE_PREFERENCES: Final = """
    DELETE FROM notification_preferences WHERE user_id IN %s
"""


def write(cursor: Cursor, work: Work, new_id: NewId) -> None:
    """Insert the notifications of a work and their deliveries, due immediately."""
    now = work.now
    notifications, deliveries = [], []
    for notice, channels in plan(work.notices.values(), work.user):
        id_, kind, user = new_id(), notice.kind, work.user(notice.user_id)
        rendered = render(notice, user.locale, user.time_zone)
        notifications.append(
            (
                id_,
                notice.user_id,
                kind.type,
                *rendered,
                notice.dedupe_key,
                kind.account_critical,
                now,
            )
        )
        deliveries += [(id_, channel, now) for channel in channels]
    cursor.executemany(_INSERT_NOTIFICATIONS, notifications)
    cursor.executemany(_INSERT_DELIVERIES, deliveries)


def erase(cursor: Cursor, users: Collection[str]) -> None:
    """Erase the unsent notifications and the preferences of deleted users."""
    cursor.execute(_ERASE_UNSENT, (tuple(users),))
    cursor.execute(_ERASE_PREFERENCES, (tuple(users),))
