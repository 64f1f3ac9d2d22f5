"""Writes notifications in the transaction of their cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.notification.plan import plan
from scheduler.notification.render import render

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from scheduler.domain.work import Work
    from scheduler.ids import NewId

_INSERT_NOTIFICATIONS: Final = """
    INSERT INTO notifications
        (id, user_id, type, title, message, data, dedupe_key, urgent, created_at,
         caused_by, correlation_id, traceparent, allocation_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_INSERT_DELIVERIES: Final = """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at, user_id, kind)
    VALUES (%s, %s, %s, %s, %s)
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
                notice.actor or None,
                *notice.trace,
                notice.allocation_id,
            )
        )
        deliveries += [(id_, channel, now, notice.user_id, kind.key) for channel in channels]
    cursor.executemany(_INSERT_NOTIFICATIONS, notifications)
    cursor.executemany(_INSERT_DELIVERIES, deliveries)
