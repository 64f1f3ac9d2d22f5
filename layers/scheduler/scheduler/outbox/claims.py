"""Claims due deliveries for one dispatcher and records their results.

A claim is committed before anything is sent and lasts longer than sending can take, so two
dispatchers never send the same delivery at once, and the claims of a killed dispatcher expire.
Claiming up to a hundred deliveries takes five statements, three more if a user has many frames;
recording any number of results takes one. Which due deliveries are claimed next:
`scheduler.outbox.turns`.
"""

from __future__ import annotations

import json
from datetime import time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pymysql import MySQLError

from scheduler.database.errors import is_conflict_without_wait, is_lock_wait
from scheduler.database.locked_rows import locked_by_others
from scheduler.database.times import to_sql
from scheduler.domain.trace import TraceContext
from scheduler.notification.preferences import QuietHours
from scheduler.outbox.delivery import Delivery, DeliveryOutcome, DeliveryResult, Recipient
from scheduler.outbox.hourly_limit import hold_back, load_usage
from scheduler.outbox.turns import Turns, lock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.connection import Database
    from scheduler.domain.notices import Channel

_TABLE: Final = "notification_deliveries"
_SET_CLAIM: Final = """
    UPDATE notification_deliveries SET claimed_until = %s WHERE id IN %s
"""
_LOAD_CLAIMED: Final = """
    SELECT d.id, d.attempts, n.id, n.type, n.title, n.message, n.data, n.created_at, n.urgent,
           d.kind, GREATEST(1, (SELECT COUNT(*) FROM notification_deliveries one
                                WHERE one.digest_id = d.id)),
           n.user_id, u.email, u.phone, u.locale, p.quiet_from, p.quiet_until, p.time_zone,
           n.correlation_id, n.traceparent
    FROM notification_deliveries d
    JOIN notifications n ON n.id = COALESCE(
        (SELECT MAX(one.notification_id) FROM notification_deliveries one
         WHERE one.digest_id = d.id),
        d.notification_id
    )
    LEFT JOIN users u ON u.id = n.user_id
    LEFT JOIN notification_preferences p ON p.user_id = n.user_id
    WHERE d.id IN %s ORDER BY d.id
"""
# Only while the claim holds and the delivery is pending: another dispatcher may have claimed it
# since, and the deliveries of a deleted user are erased.
_RECORD_RESULTS: Final = """
    UPDATE JSON_TABLE(%s, '$[*]' COLUMNS (
            id              BIGINT UNSIGNED PATH '$.id',
            claimed_until   DATETIME(6)     PATH '$.claimed_until',
            status          VARCHAR(16)     PATH '$.status',
            attempts        INT UNSIGNED    PATH '$.attempts',
            next_attempt_at DATETIME(6)     PATH '$.next_attempt_at',
            last_error      VARCHAR(500)    PATH '$.last_error',
            provider_id     VARCHAR(200)    PATH '$.provider_id',
            sent_at         DATETIME(6)     PATH '$.sent_at',
            digest_id       BIGINT UNSIGNED PATH '$.digest_id'
        )) r
        STRAIGHT_JOIN notification_deliveries d ON d.id = r.id
    SET d.status = r.status, d.attempts = r.attempts, d.claimed_until = NULL,
        d.next_attempt_at = COALESCE(r.next_attempt_at, d.next_attempt_at),
        d.last_error = COALESCE(r.last_error, d.last_error),
        d.provider_message_id = r.provider_id, d.sent_at = r.sent_at,
        d.digest_id = COALESCE(r.digest_id, d.digest_id)
    WHERE d.status = 'pending' AND d.claimed_until = r.claimed_until
"""
_RELEASE_CLAIMS: Final = """
    UPDATE notification_deliveries SET claimed_until = NULL
    WHERE id IN %s AND status = 'pending' AND claimed_until = %s
"""

_FINAL: Final = {DeliveryOutcome.SENT, DeliveryOutcome.SKIPPED, DeliveryOutcome.FAILED}
_ATTEMPTED: Final = {DeliveryOutcome.SENT, DeliveryOutcome.FAILED, DeliveryOutcome.RETRIED}


class Claims:
    """The due deliveries of one channel. Not thread-safe, and nothing else may use its database.

    Every method raises `DatabaseUnavailableError` also if the table is locked, by DDL of a
    migration.
    """

    def __init__(self, database: Database, channel: Channel, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._channel = channel
        self._clock = clock
        self._turns = Turns(channel)
        self._found_nothing = False
        self._some_locked = False

    def claim(self, limit: int, lease: timedelta, busy: Collection[str] = ()) -> list[Delivery]:
        """Claim up to ``limit`` due deliveries; users take turns.

        Args:
            limit: maximum number of deliveries.
            lease: how long other dispatchers leave them alone; longer than sending can take.
            busy: users whose deliveries are not claimed now.

        Raises:
            DatabaseUnavailableError: claims that were nevertheless committed expire after
                ``lease``.
        """
        now = self._clock()
        if self._found_nothing and not self._any_due(now):
            return []
        claimed = self._claim(
            lambda cursor: self._turns.lock_next(cursor, now, limit, busy), now + lease
        )
        self._found_nothing = not claimed
        return claimed

    def claim_again(self, delivery: Delivery, lease: timedelta) -> list[Delivery]:
        """Claim a delivery before its next attempt is due, if it is pending and not claimed.

        Raises:
            DatabaseUnavailableError: as `claim`.
        """
        now = self._clock()
        return self._claim(lambda cursor: lock(cursor, now, [delivery.id]), now + lease)

    def _claim(
        self, lock_some: Callable[[Cursor], tuple[int, ...]], until: datetime
    ) -> list[Delivery]:
        def claim(cursor: Cursor) -> Sequence[tuple[Any, ...]]:
            if not (ids := lock_some(cursor)):
                return ()
            cursor.execute(_SET_CLAIM, (until, ids))
            return _load_claimed(cursor, ids)

        return [
            _delivery(row, self._channel, until) for row in self._database.run_unless_locked(claim)
        ]

    def _any_due(self, now: datetime) -> bool:
        return self._database.run_unless_locked(lambda cursor: self._turns.any_due(cursor, now))

    def above_limit(self, claimed: Sequence[Delivery], limit: int) -> list[DeliveryResult]:
        """Return the results of claimed deliveries that are above an hourly limit.

        Args:
            claimed: deliveries that could be sent now.
            limit: how many of a kind a user is sent in an hour.

        Raises:
            DatabaseUnavailableError: the database is unavailable.
        """
        if not claimed:
            return []
        now = self._clock()
        usage = self._database.run_unless_locked(
            lambda cursor: load_usage(cursor, self._channel, claimed, now)
        )
        return list(hold_back(claimed, usage, limit, now))

    def record(self, results: Sequence[DeliveryResult]) -> list[DeliveryResult]:
        """Record results, all in one statement and one transaction.

        Returns:
            The results of deliveries that another transaction has locked, to be recorded later.

        Raises:
            DatabaseUnavailableError: sent deliveries are sent again when their claims expire,
                unless a repeated call succeeds before.
        """
        now = self._clock()
        if not self._some_locked:
            try:
                self._database.run(
                    lambda cursor: _record(cursor, results, now), is_conflict_without_wait
                )
            except MySQLError as error:
                if not is_lock_wait(error):
                    raise
            else:
                return []
        locked = self._database.run_unless_locked(lambda cursor: _record_free(cursor, results, now))
        self._some_locked = bool(locked)
        return locked

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """Release the claims of deliveries that were not attempted; they are due as before.

        Raises:
            DatabaseUnavailableError: the claims expire later.
        """
        for claimed_until in {delivery.claimed_until for delivery in deliveries}:
            ids = [d.id for d in deliveries if d.claimed_until == claimed_until]
            self._database.run_unless_locked(
                partial(_release, ids=ids, claimed_until=claimed_until)
            )


def _record(cursor: Cursor, results: Iterable[DeliveryResult], now: datetime) -> None:
    rows = sorted((_row(result, now) for result in results), key=lambda row: row["id"])
    cursor.execute(_RECORD_RESULTS, (json.dumps(rows),))


def _record_free(
    cursor: Cursor, results: Sequence[DeliveryResult], now: datetime
) -> list[DeliveryResult]:
    """Record the results of deliveries that nobody has locked; return the others."""
    locked = locked_by_others(cursor, _TABLE, {one.delivery.id for one in results})
    _record(cursor, [one for one in results if one.delivery.id not in locked], now)
    return [one for one in results if one.delivery.id in locked]


def _release(cursor: Cursor, ids: Sequence[int], claimed_until: datetime) -> None:
    """Release the claims of deliveries that nobody has locked; those of the others expire."""
    if free := set(ids) - locked_by_others(cursor, _TABLE, ids):
        cursor.execute(_RELEASE_CLAIMS, (tuple(free), claimed_until))


def _load_claimed(cursor: Cursor, ids: tuple[int, ...]) -> Sequence[tuple[Any, ...]]:
    cursor.execute(_LOAD_CLAIMED, (ids,))
    return cursor.fetchall()


def _delivery(row: tuple[Any, ...], channel: Channel, until: datetime) -> Delivery:
    id_, attempts, notification_id, type_, title, message, data, created_at, urgent = row[:9]
    kind, stands_for, user_id, email, phone, locale, *quiet = row[9:-2]
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
        kind,
        stands_for,
        TraceContext(*row[-2:]),
    )


def _quiet_hours(
    start: timedelta | None, end: timedelta | None, zone: str | None
) -> QuietHours | None:
    if start is None or end is None or zone is None:
        return None
    return QuietHours(_clock_time(start), _clock_time(end), zone)


def _clock_time(since_midnight: timedelta) -> time:
    # PyMySQL returns TIME columns as timedelta.
    hours, seconds = divmod(since_midnight.seconds, 3600)
    return time(hours, *divmod(seconds, 60))


def _row(result: DeliveryResult, now: datetime) -> dict[str, Any]:
    delivery, outcome = result.delivery, result.outcome
    # With the status, this is an index: operators count what was settled in the last minutes.
    due_at = now if outcome in _FINAL else result.due_at
    return {
        "id": delivery.id,
        "claimed_until": to_sql(delivery.claimed_until),
        "status": outcome if outcome in _FINAL else "pending",
        "attempts": delivery.attempts + (outcome in _ATTEMPTED),
        "next_attempt_at": to_sql(due_at) if due_at else None,
        "last_error": result.detail or None,
        "provider_id": result.provider_message_id,
        "sent_at": to_sql(now) if outcome is DeliveryOutcome.SENT else None,
        "digest_id": result.digest_id,
    }
