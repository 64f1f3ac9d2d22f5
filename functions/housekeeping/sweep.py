"""Looks for what should have left long ago, and wakes the dispatcher.

The dispatcher has a schedule of its own and takes over dead claims itself; a nudge more makes
the difference only where something keeps that schedule from running.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger

from scheduler.domain.notices import Channel
from scheduler.observability.emf import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_CHANNELS: Final = tuple(Channel)
_PATIENCE: Final = timedelta(minutes=1)

_LEFT_LYING: Final = """
    SELECT 1 FROM notification_deliveries FORCE INDEX (due)
    WHERE status = 'pending' AND channel IN %s AND next_attempt_at <= %s
        AND (claimed_until IS NULL OR claimed_until <= %s)
    LIMIT 1
"""
# Neither what waits for the end of quiet hours nor what a user was told long ago.
_OLDEST_PENDING: Final = """
    SELECT MIN(n.created_at) FROM notification_deliveries d FORCE INDEX (due)
    JOIN notifications n ON n.id = d.notification_id
    WHERE d.status = 'pending' AND d.channel IN %s AND (d.next_attempt_at <= %s OR d.attempts > 0)
"""
_OLDEST_UNPUBLISHED: Final = """
    SELECT created_at FROM outgoing_events WHERE published_at IS NULL ORDER BY id LIMIT 1
"""

_logger: Final = Logger()


def sweep(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Nudge the dispatcher if anything has been due for a minute; measure how old the oldest is."""
    now = tools.clock()
    with tools.database.transaction() as cursor:
        untold = _age(cursor, _OLDEST_PENDING, now, _CHANNELS, now)
        unpublished = _age(cursor, _OLDEST_UNPUBLISHED, now)
        before = now - _PATIENCE
        left_lying = bool(cursor.execute(_LEFT_LYING, (_CHANNELS, before, now)))
    metrics.add("scheduler_oldest_pending_notification_seconds", untold, Unit.SECONDS)
    metrics.add("scheduler_oldest_unpublished_event_seconds", unpublished, Unit.SECONDS)
    if not left_lying and unpublished < _PATIENCE.total_seconds():
        return
    ages = {"oldest_notification_seconds": untold, "oldest_event_seconds": unpublished}
    _logger.warning("The dispatcher is behind, nudging it", extra=ages)
    tools.nudge()
    yield 1


def _age(cursor: Cursor, statement: str, now: datetime, *parameters: object) -> float:
    """Return the seconds since the one moment that a statement selects; 0 if there is none."""
    cursor.execute(statement, parameters)
    row = cursor.fetchone()
    if row is None or row[0] is None:
        return 0
    age: timedelta = now - row[0]
    return max(0, age.total_seconds())
