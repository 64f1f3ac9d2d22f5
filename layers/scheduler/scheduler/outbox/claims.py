"""Takes due deliveries for one dispatcher, and records what became of them.

A claim is committed before anything is sent, and outlives whoever holds it: two dispatchers never
send the same delivery at once, and the claims of one that was killed end by themselves.
A hundred deliveries cost three statements to claim; results are recorded as many at a time as there
are.
"""

from __future__ import annotations

import json
from datetime import time, timedelta
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from scheduler.database.times import to_sql
from scheduler.notification.quiet_hours import QuietHours
from scheduler.outbox.delivery import Delivery, Fate, Recipient, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.connection import Database
    from scheduler.domain.notices import Channel

_TOLERANCE: Final = timedelta(seconds=1)
"""Who wrote the delivery may have a clock ahead of ours; its nudge must find it due."""

_DUE: Final = """
    SELECT id FROM notification_deliveries
    WHERE status = 'pending' AND channel = %s AND next_attempt_at <= %s
        AND (claimed_until IS NULL OR claimed_until <= %s)
    ORDER BY next_attempt_at, id LIMIT %s FOR UPDATE SKIP LOCKED
"""
# A locking scan locks the row behind its range as well: the first of the next channel, which that
# channel's dispatcher then skips. So finding nothing means nothing only if a plain read agrees.
_LEFT: Final = """
    SELECT 1 FROM notification_deliveries
    WHERE status = 'pending' AND channel = %s AND next_attempt_at <= %s
        AND (claimed_until IS NULL OR claimed_until <= %s)
    LIMIT 1
"""
_TRIES: Final = 20
_PAUSE: Final = 0.005
_CLAIM: Final = """
    UPDATE notification_deliveries SET claimed_until = %s WHERE id IN %s
"""
_CONTENTS: Final = """
    SELECT d.id, d.attempts, n.id, n.type, n.title, n.message, n.data, n.created_at, n.urgent,
           n.user_id, u.email, u.phone, u.locale, p.quiet_from, p.quiet_until, p.time_zone
    FROM notification_deliveries d
    JOIN notifications n ON n.id = d.notification_id
    LEFT JOIN users u ON u.id = n.user_id
    LEFT JOIN notification_preferences p ON p.user_id = n.user_id
    WHERE d.id IN %s ORDER BY d.id
"""
# Only under its own claim, and only what is still pending: somebody may have taken over, and a
# deleted user's deliveries were erased meanwhile.
_RECORD: Final = """
    UPDATE JSON_TABLE(%s, '$[*]' COLUMNS (
            id              BIGINT UNSIGNED PATH '$.id',
            claimed_until   DATETIME(6)     PATH '$.claimed_until',
            status          VARCHAR(16)     PATH '$.status',
            attempts        INT UNSIGNED    PATH '$.attempts',
            next_attempt_at DATETIME(6)     PATH '$.next_attempt_at',
            last_error      VARCHAR(500)    PATH '$.last_error',
            provider_id     VARCHAR(200)    PATH '$.provider_id',
            sent_at         DATETIME(6)     PATH '$.sent_at'
        )) r
        STRAIGHT_JOIN notification_deliveries d ON d.id = r.id
    SET d.status = r.status, d.attempts = r.attempts, d.claimed_until = NULL,
        d.next_attempt_at = COALESCE(r.next_attempt_at, d.next_attempt_at),
        d.last_error = COALESCE(r.last_error, d.last_error),
        d.provider_message_id = r.provider_id, d.sent_at = r.sent_at
    WHERE d.status = 'pending' AND d.claimed_until = r.claimed_until
"""
_RELEASE: Final = """
    UPDATE notification_deliveries SET claimed_until = NULL
    WHERE id IN %s AND status = 'pending' AND claimed_until = %s
"""

_FINAL: Final = {Fate.SENT, Fate.SKIPPED, Fate.FAILED}
_TRIED: Final = {Fate.SENT, Fate.FAILED, Fate.RETRIED}


class Claims:
    """The due deliveries of one channel. Uses its database alone, from one thread at a time."""

    def __init__(self, database: Database, channel: Channel, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._channel = channel
        self._clock = clock
        self._found_nothing = False

    def claim(self, limit: int, lease: timedelta) -> list[Delivery]:
        """Claim up to ``limit`` due deliveries, the longest due first.

        Args:
            limit: how many at most.
            lease: how long nobody else takes them; longer than sending can last.

        Raises:
            DatabaseUnavailableError: the database is away; nothing is claimed, or for one lease.
        """
        now = self._clock()
        until = now + lease
        if self._found_nothing and not self._left(now):
            return []

        def claim(cursor: Cursor) -> Sequence[tuple[Any, ...]]:
            cursor.execute(_DUE, (self._channel, now + _TOLERANCE, now, limit))
            if not (ids := tuple(id_ for (id_,) in cursor.fetchall())):
                return ()
            cursor.execute(_CLAIM, (until, ids))
            return _contents(cursor, ids)

        rows = self._database.run(claim)
        for _ in range(_TRIES):
            if rows or not self._left(now):
                break
            sleep(_PAUSE)
            rows = self._database.run(claim)
        self._found_nothing = not rows
        return [_delivery(row, self._channel, until) for row in rows]

    def _left(self, now: datetime) -> bool:
        with self._database.transaction() as cursor:
            return bool(cursor.execute(_LEFT, (self._channel, now + _TOLERANCE, now)))

    def record(self, results: Iterable[Result]) -> None:
        """Write results down, all in one statement and commit.

        Raises:
            DatabaseUnavailableError: the database is away; what was sent will be sent again when
                its claim has ended, unless recording succeeds until then.
        """
        now = self._clock()
        rows = sorted((_row(result, now) for result in results), key=lambda row: row["id"])
        self._run(_RECORD, json.dumps(rows))

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """Give back what was not tried: it is as due as before.

        Raises:
            DatabaseUnavailableError: the database is away; the claims end by themselves.
        """
        for claimed_until in {delivery.claimed_until for delivery in deliveries}:
            ids = tuple(d.id for d in deliveries if d.claimed_until == claimed_until)
            self._run(_RELEASE, ids, claimed_until)

    def _run(self, statement: str, *parameters: object) -> None:
        self._database.run(lambda cursor: cursor.execute(statement, parameters))


def _contents(cursor: Cursor, ids: tuple[int, ...]) -> Sequence[tuple[Any, ...]]:
    cursor.execute(_CONTENTS, (ids,))
    return cursor.fetchall()


def _delivery(row: tuple[Any, ...], channel: Channel, until: datetime) -> Delivery:
    id_, attempts, notification_id, type_, title, message, data, created_at, urgent = row[:9]
    user_id, email, phone, locale, *quiet = row[9:]
    return Delivery(
        id_,
        channel,
        attempts,
        until,
        notification_id,
        type_,
        title,
        message,
        data,
        created_at,
        bool(urgent),
        Recipient(user_id, email, phone, locale, _quiet_hours(*quiet)),
    )


def _quiet_hours(
    start: timedelta | None, end: timedelta | None, zone: str | None
) -> QuietHours | None:
    if start is None or end is None or zone is None:
        return None
    return QuietHours(_clock_time(start), _clock_time(end), zone)


def _clock_time(since_midnight: timedelta) -> time:
    # The driver's notion of a TIME.
    hours, seconds = divmod(since_midnight.seconds, 3600)
    return time(hours, *divmod(seconds, 60))


def _row(result: Result, now: datetime) -> dict[str, Any]:
    delivery, fate = result.delivery, result.fate
    return {
        "id": delivery.id,
        "claimed_until": to_sql(delivery.claimed_until),
        "status": fate if fate in _FINAL else "pending",
        "attempts": delivery.attempts + (fate in _TRIED),
        "next_attempt_at": to_sql(result.due_at) if result.due_at else None,
        "last_error": result.detail or None,
        "provider_id": result.provider_message_id,
        "sent_at": to_sql(now) if fate is Fate.SENT else None,
    }
