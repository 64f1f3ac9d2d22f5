"""Chooses the due deliveries that are claimed next: users take turns, in the order of their ids.

So a user with thousands of due deliveries does not delay those of others. Of such a user's frames,
those that a newer frame about the same device supersedes are not sent; they stay in the inbox.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.notices import Channel
from scheduler.outbox.delivery import SUPERSEDED

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

TURN_SIZE: Final = 10
"""How many deliveries of a user are claimed at once."""

MAX_COMPARED: Final = 5000
"""How many due frames, the longest due ones, a claim looks through for superseded ones: the frames
of all other users wait meanwhile."""

_CLOCK_SKEW: Final = timedelta(seconds=1)
"""The writer's clock may be ahead of ours; the nudge that follows must find its delivery due."""

_ANY_DUE: Final = """
    SELECT 1 FROM notification_deliveries FORCE INDEX (due)
    WHERE status = 'pending' AND channel = %s AND next_attempt_at <= %s
        AND (claimed_until IS NULL OR claimed_until <= %s)
    LIMIT 1
"""
# Both parts read the index in order and end at their limit: first the users after the one whose
# turn was last, then those before.
_USERS_IN_TURN: Final = """
    (SELECT user_id FROM notification_deliveries FORCE INDEX (by_user)
     WHERE status = 'pending' AND channel = %s AND user_id > %s
     GROUP BY user_id HAVING MIN(next_attempt_at) <= %s ORDER BY user_id LIMIT %s)
    UNION ALL
    (SELECT user_id FROM notification_deliveries FORCE INDEX (by_user)
     WHERE status = 'pending' AND channel = %s AND user_id <= %s
     GROUP BY user_id HAVING MIN(next_attempt_at) <= %s ORDER BY user_id LIMIT %s)
"""
_DUE_OF_USERS: Final = """
    SELECT * FROM (
        SELECT id, user_id,
            ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY next_attempt_at, id) AS place
        FROM notification_deliveries FORCE INDEX (by_user)
        WHERE status = 'pending' AND channel = %s AND user_id IN %s AND next_attempt_at <= %s
            AND (claimed_until IS NULL OR claimed_until <= %s)
    ) due
    WHERE place <= %s
"""
# By primary key: a locking scan of another index also locks the row behind its range.
_LOCK: Final = """
    SELECT id FROM notification_deliveries
    WHERE id IN %s AND status = 'pending' AND (claimed_until IS NULL OR claimed_until <= %s)
    FOR UPDATE SKIP LOCKED
"""
_OLDEST_OF_USER: Final = """
    (SELECT id, user_id, notification_id FROM notification_deliveries FORCE INDEX (by_user)
     WHERE status = 'pending' AND channel = %s AND user_id = %s AND next_attempt_at <= %s
        AND (claimed_until IS NULL OR claimed_until <= %s)
     ORDER BY next_attempt_at, id LIMIT %s)
"""
_SUPERSEDED: Final = """
    SELECT id FROM (
        SELECT d.id, ROW_NUMBER() OVER (
                PARTITION BY d.user_id, JSON_VALUE(n.data, '$.deviceId') ORDER BY n.id DESC
            ) AS place
        FROM ({oldest}) d STRAIGHT_JOIN notifications n ON n.id = d.notification_id
        WHERE NOT n.urgent AND JSON_VALUE(n.data, '$.deviceId') IS NOT NULL
    ) frames
    WHERE place > 1
"""
_SKIP: Final = """
    UPDATE notification_deliveries
    SET status = 'skipped', next_attempt_at = %s, last_error = %s WHERE id IN %s
"""


_SPARE_USERS: Final = 100
"""How many more users are read, because other dispatchers may have claimed all of their
deliveries."""


class _Due(NamedTuple):
    id: int
    user_id: str
    place: int
    """Its position among the user's due deliveries, from 1."""


class Turns:
    """The order of the users of one channel; it begins again with each dispatcher."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._last_user = ""

    def any_due(self, cursor: Cursor, now: datetime) -> bool:
        """Return whether a delivery is due and not claimed."""
        return bool(cursor.execute(_ANY_DUE, (self._channel, now + _CLOCK_SKEW, now)))

    def lock_next(
        self, cursor: Cursor, now: datetime, limit: int, busy: Collection[str]
    ) -> tuple[int, ...]:
        """Lock due deliveries: at most `TURN_SIZE` of a user, the longest due first.

        Args:
            cursor: of a transaction.
            now: the current time.
            limit: maximum number of deliveries.
            busy: users whose turn has not ended yet; they are passed over.

        Returns:
            Their ids. Deliveries that another transaction has locked are not among them.
        """
        users = self._users_in_turn(cursor, now + _CLOCK_SKEW, limit, busy)
        if not users:
            return ()
        due = self._due_of(cursor, now, users)
        if crowded := self._crowded(due):
            self._skip_superseded(cursor, now, crowded)
            due = self._due_of(cursor, now, users)
        turn = {user: number for number, user in enumerate(users)}
        due.sort(key=lambda one: (one.place, turn[one.user_id]))
        all_have_their_turn = sum(one.place == 1 for one in due) <= limit
        self._last_user = users[-1] if all_have_their_turn else due[limit - 1].user_id
        return lock(cursor, now, [one.id for one in due[:limit]])

    def _users_in_turn(
        self, cursor: Cursor, due_by: datetime, limit: int, busy: Collection[str]
    ) -> list[str]:
        looked_at = limit + len(busy) + _SPARE_USERS
        part = (self._channel, self._last_user, due_by, looked_at)
        cursor.execute(_USERS_IN_TURN, part * 2)
        return [user for (user,) in cursor.fetchall() if user not in busy][:looked_at]

    def _due_of(self, cursor: Cursor, now: datetime, users: Sequence[str]) -> list[_Due]:
        parameters = (self._channel, tuple(users), now + _CLOCK_SKEW, now, TURN_SIZE)
        cursor.execute(_DUE_OF_USERS, parameters)
        return [_Due(*row) for row in cursor.fetchall()]

    def _crowded(self, due: Sequence[_Due]) -> tuple[str, ...]:
        """Return the users who have at least as many due frames as a turn allows."""
        if self._channel is not Channel.WEBSOCKET:
            return ()
        counts = Counter(one.user_id for one in due)
        return tuple(user for user, count in counts.items() if count >= TURN_SIZE)

    def _skip_superseded(self, cursor: Cursor, now: datetime, users: tuple[str, ...]) -> None:
        due_by, each = now + _CLOCK_SKEW, max(1, MAX_COMPARED // len(users))
        oldest = " UNION ALL ".join([_OLDEST_OF_USER] * len(users))
        parameters = [part for user in users for part in (self._channel, user, due_by, now, each)]
        cursor.execute(_SUPERSEDED.format(oldest=oldest), parameters)
        if ids := lock(cursor, now, [id_ for (id_,) in cursor.fetchall()]):
            cursor.execute(_SKIP, (now, SUPERSEDED, ids))


def lock(cursor: Cursor, now: datetime, ids: Sequence[int]) -> tuple[int, ...]:
    """Lock those of the deliveries that are pending, not claimed and not locked by others.

    Returns:
        Their ids.
    """
    if not ids:
        return ()
    cursor.execute(_LOCK, (tuple(ids), now))
    return tuple(id_ for (id_,) in cursor.fetchall())
