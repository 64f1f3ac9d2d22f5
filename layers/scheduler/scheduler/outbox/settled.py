"""What the dispatcher settled in the last minutes, for operators: how many, and how late.

The time of a settled delivery is in ``next_attempt_at``, so that the index by which the dispatcher
finds due ones serves here as well. Each statement reads a bounded number of its newest entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.notices import Channel

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from pymysql.cursors import Cursor

MAX_COUNTED: Final = 10_000
"""Maximum number of deliveries that are counted per channel and status."""
MAX_DELAYS: Final = 1_000
"""Maximum number of deliveries per channel whose delays are read."""

_STATUSES: Final = ("sent", "skipped", "failed")
_COUNT: Final = """
    SELECT %s, %s, COUNT(*), MIN(next_attempt_at) FROM (
        SELECT next_attempt_at FROM notification_deliveries FORCE INDEX (due)
        WHERE status = %s AND channel = %s AND next_attempt_at > %s
        ORDER BY next_attempt_at DESC LIMIT %s
    ) newest
"""
_SENT: Final = """
    (SELECT channel, notification_id, sent_at FROM notification_deliveries FORCE INDEX (due)
     WHERE status = 'sent' AND channel = %s AND next_attempt_at > %s
     ORDER BY next_attempt_at DESC LIMIT %s)
"""
_DELAYS: Final = """
    SELECT d.channel, n.created_at, d.sent_at FROM ({sent}) d
    STRAIGHT_JOIN notifications n ON n.id = d.notification_id
"""


class SettledDeliveries(NamedTuple):
    """How many deliveries of a channel were settled with a status.

    ``oldest`` is the time of the first of them; there are older ones if `MAX_COUNTED` is reached.
    """

    channel: str
    status: str
    number: int
    oldest: datetime


def count_settled(cursor: Cursor, since: datetime) -> list[SettledDeliveries]:
    """Return how many deliveries were settled since a time, by channel and status."""
    groups = [(channel, status) for channel in Channel for status in _STATUSES]
    parameters = [
        value
        for channel, status in groups
        for value in (channel, status, status, channel, since, MAX_COUNTED)
    ]
    cursor.execute(" UNION ALL ".join([_COUNT] * len(groups)), parameters)
    return [SettledDeliveries(*row) for row in cursor.fetchall() if row[2]]


def recent_delays(cursor: Cursor, since: datetime) -> dict[str, list[timedelta]]:
    """Return by channel how long after their notifications deliveries were sent since a time.

    Of each channel, the newest `MAX_DELAYS`.
    """
    sent = " UNION ALL ".join([_SENT] * len(Channel))
    parameters = [value for one in Channel for value in (one, since, MAX_DELAYS)]
    cursor.execute(_DELAYS.format(sent=sent), parameters)
    found: dict[str, list[timedelta]] = {}
    for channel, created_at, sent_at in cursor.fetchall():
        found.setdefault(channel, []).append(sent_at - created_at)
    return found
