"""Writes what users are told in the transaction of its cause, and forgets it with the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.notification.plan import plan
from scheduler.notification.render import render

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymysql.cursors import Cursor

    from scheduler.domain.work import Work
    from scheduler.ids import NewId

_NOTIFICATIONS: Final = """
    INSERT INTO notifications
        (id, user_id, type, title, message, data, dedupe_key, urgent, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_DELIVERIES: Final = """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)
    VALUES (%s, %s, %s)
"""
# What was skipped or failed was not sent either, and would stay readable until the purge.
# A dispatcher that is sending one of these records its result only while it is pending, so
# nothing of it comes back. The plan is given: an UPDATE locks what it walks over, and from the
# user that is little, from everything pending it is the dispatcher's work.
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
    """Insert every notification of a batch with its deliveries, due at once."""
    now = work.now
    notifications, deliveries = [], []
    for notice, channels in plan(work.notices.values(), work.user):
        id_, rendered = new_id(), render(notice, work.user(notice.user_id).locale)
        kind = notice.kind
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
    if notifications:
        cursor.executemany(_NOTIFICATIONS, notifications)
    if deliveries:
        cursor.executemany(_DELIVERIES, deliveries)


def erase(cursor: Cursor, users: Collection[str]) -> None:
    """Forget what was not yet sent to deleted users, and how they wanted to be told."""
    cursor.execute(_ERASE_UNSENT, (tuple(users),))
    cursor.execute(_ERASE_PREFERENCES, (tuple(users),))
