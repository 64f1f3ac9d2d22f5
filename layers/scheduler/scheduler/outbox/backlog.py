"""How far behind the dispatcher is: the oldest unsent notification and unpublished event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.notices import Channel

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from pymysql.cursors import Cursor

_CHANNELS: Final = tuple(Channel)

_ANY_DUE: Final = """
    SELECT 1 FROM notification_deliveries FORCE INDEX (due)
    WHERE status = 'pending' AND channel IN %s AND next_attempt_at <= %s
        AND (claimed_until IS NULL OR claimed_until <= %s)
    LIMIT 1
"""
# Deliveries that are postponed by quiet hours and retries that are not due yet are not overdue.
_OVERDUE: Final = """
    SELECT id FROM notification_deliveries FORCE INDEX (due)
    WHERE status = 'pending' AND channel IN %s AND next_attempt_at <= %s
    LIMIT %s
"""
_NEXT: Final = """
    (SELECT notification_id, next_attempt_at, attempts
     FROM notification_deliveries FORCE INDEX (due)
     WHERE status = 'pending' AND channel = %s ORDER BY next_attempt_at LIMIT 1000)
"""
# Due or attempted before: deliveries that are only postponed by quiet hours are left out. Limited,
# so that the statement stays short during a long outage. The order is not that of age, but the
# oldest deliveries are due first, or again and again.
_OLDEST_PENDING: Final = f"""
    SELECT MIN(n.created_at) FROM ({" UNION ALL ".join([_NEXT] * len(_CHANNELS))}) d
    STRAIGHT_JOIN notifications n ON n.id = d.notification_id
    WHERE d.next_attempt_at <= %s OR d.attempts > 0
"""  # noqa: S608 - constants
_OLDEST_UNPUBLISHED: Final = """
    SELECT created_at FROM outgoing_events WHERE published_at IS NULL ORDER BY id LIMIT 1
"""
# Counts stop at the limit, so that the statement stays short during a long outage.
_PENDING: Final = """
    SELECT %s, COUNT(*), SUM(attempts > 0), MAX(last_error) FROM (
        SELECT attempts, last_error FROM notification_deliveries FORCE INDEX (due)
        WHERE status = 'pending' AND channel = %s LIMIT %s
    ) pending
"""
MAX_PENDING: Final = 30_000
"""Maximum number of pending deliveries that are counted per channel."""


class ChannelBacklog(NamedTuple):
    """Pending deliveries of a channel, how many were tried before, and one of their errors."""

    channel: str
    pending: int
    retried: int
    last_error: str | None


class Backlog(NamedTuple):
    """Ages in seconds, 0 if there is none; ``unclaimed``: a delivery is due but not claimed."""

    notification_seconds: float
    event_seconds: float
    unclaimed: bool


def backlog(cursor: Cursor, now: datetime, due_for: timedelta) -> Backlog:
    """Return the ages of the oldest unsent notification and event.

    Notifications are looked for among the 1,000 deliveries of each channel that are due first.

    Args:
        cursor: of a transaction.
        now: the current time.
        due_for: how long an unclaimed delivery must have been due to count.
    """
    pending = _age(cursor, _OLDEST_PENDING, now, *_CHANNELS, now)
    unpublished = _age(cursor, _OLDEST_UNPUBLISHED, now)
    unclaimed = bool(cursor.execute(_ANY_DUE, (_CHANNELS, now - due_for, now)))
    return Backlog(pending, unpublished, unclaimed)


def overdue_deliveries(cursor: Cursor, before: datetime, limit: int) -> list[int]:
    """Return the ids of deliveries that have been due since a time."""
    cursor.execute(_OVERDUE, (_CHANNELS, before, limit))
    return [id_ for (id_,) in cursor.fetchall()]


def pending_by_channel(cursor: Cursor) -> list[ChannelBacklog]:
    """Return the pending deliveries of each channel that has any; `MAX_PENDING` are counted."""
    parameters = [value for one in _CHANNELS for value in (one, one, MAX_PENDING)]
    cursor.execute(" UNION ALL ".join([_PENDING] * len(_CHANNELS)), parameters)
    return [
        ChannelBacklog(channel, count, int(retried), error)
        for channel, count, retried, error in sorted(cursor.fetchall())
        if count
    ]


def _age(cursor: Cursor, statement: str, now: datetime, *parameters: object) -> float:
    cursor.execute(statement, parameters)
    row = cursor.fetchone()
    if row is None or row[0] is None:
        return 0
    age: timedelta = now - row[0]
    return max(0, age.total_seconds())
