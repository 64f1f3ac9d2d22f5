"""How far behind notifications and outgoing events are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from scheduler.outbox.backlog import MAX_PENDING, backlog, pending_by_channel

if TYPE_CHECKING:
    from datetime import datetime

    from pymysql.cursors import Cursor

    from operations.context import NoArguments, OperationContext

_DUE_FOR: Final = timedelta(minutes=1)


def read_outbox(context: OperationContext, _arguments: NoArguments) -> dict[str, Any]:
    """Return the ages of the oldest unsent notification and event, and what each channel has.

    A channel has its pending deliveries, whether there are ``more`` than were counted, how many of
    the counted ones failed before, and the last error.
    """
    with context.transaction() as cursor:
        return {"at": context.now.isoformat(), **outbox_state(cursor, context.now)}


def outbox_state(cursor: Cursor, now: datetime) -> dict[str, Any]:
    """Return the same, without the time."""
    found = backlog(cursor, now, _DUE_FOR)
    channels = pending_by_channel(cursor)
    return {
        "oldestNotificationSeconds": found.notification_seconds,
        "oldestEventSeconds": found.event_seconds,
        "dispatcherIsLate": found.unclaimed,
        "channels": {
            one.channel: {
                "pending": one.pending,
                "more": one.pending >= MAX_PENDING,
                "retried": one.retried,
                "lastError": one.last_error,
            }
            for one in channels
        },
    }
