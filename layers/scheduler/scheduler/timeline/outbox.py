"""Notifications with their deliveries, and events for other services."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from scheduler.timeline.entries import (
    MAX_OF_A_KIND,
    EntryKind,
    Subject,
    TimelineDelivery,
    TimelineEntry,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pymysql.cursors import Cursor

    from scheduler.timeline.texts import TimelineTexts

_NOTIFICATIONS: Final = """
    SELECT id, created_at, type, title, user_id, allocation_id, caused_by
    FROM notifications FORCE INDEX ({index})
    WHERE {column} IN %s AND created_at BETWEEN %s AND %s ORDER BY id DESC LIMIT %s
"""
_DELIVERIES: Final = """
    SELECT notification_id, channel, status, attempts, COALESCE(sent_at, next_attempt_at),
           COALESCE(last_error, provider_message_id)
    FROM notification_deliveries WHERE notification_id IN %s ORDER BY notification_id, channel
"""
_OUTGOING: Final = """
    SELECT id, created_at, published_at, routing_key, body, allocation_id, caused_by
    FROM outgoing_events FORCE INDEX (of_allocation)
    WHERE allocation_id IN %s AND created_at BETWEEN %s AND %s ORDER BY id DESC LIMIT %s
"""


def read_notifications(
    cursor: Cursor,
    subject: Subject,
    allocations: Sequence[str],
    window: Window,
    texts: TimelineTexts,
) -> Iterator[TimelineEntry]:
    """Yield the notifications of a user, or those about a device's allocations."""
    by = ("inbox", "user_id") if subject.is_user else ("of_allocation", "allocation_id")
    wanted = (subject.id,) if subject.is_user else tuple(allocations)
    if not wanted:
        return
    statement = _NOTIFICATIONS.format(index=by[0], column=by[1])
    cursor.execute(statement, (wanted, *window, MAX_OF_A_KIND))
    rows = cursor.fetchall()
    deliveries = _deliveries(cursor, [row[0] for row in rows], texts)
    for id_, at, type_, title, user_id, allocation_id, caused_by in rows:
        yield TimelineEntry(
            at=at,
            kind=EntryKind.NOTIFICATION,
            action=type_,
            detail=title,
            user_id=user_id,
            allocation_id=allocation_id,
            caused_by=caused_by,
            deliveries=tuple(deliveries[id_]),
            next_step=_next_step(deliveries[id_], texts),
        )


def _deliveries(
    cursor: Cursor, ids: Sequence[str], texts: TimelineTexts
) -> dict[str, list[TimelineDelivery]]:
    found: dict[str, list[TimelineDelivery]] = defaultdict(list)
    if ids:
        cursor.execute(_DELIVERIES, (tuple(ids),))
        for id_, *delivery in cursor.fetchall():
            one = TimelineDelivery(*delivery)
            answer = texts.translate(one.answer) if one.answer else None
            found[id_].append(one._replace(answer=answer))
    return found


def _next_step(deliveries: Iterable[TimelineDelivery], texts: TimelineTexts) -> str:
    failed = [one.channel for one in deliveries if one.status == "failed"]
    if failed:
        return texts.say("undelivered", channels=", ".join(map(texts.say, failed)))
    if any(one.status == "pending" and one.attempts for one in deliveries):
        return texts.say("delivered_later")
    return ""


def read_outgoing(
    cursor: Cursor, allocations: Sequence[str], window: Window, texts: TimelineTexts
) -> Iterator[TimelineEntry]:
    """Yield the events for other services about some allocations."""
    if not allocations:
        return
    cursor.execute(_OUTGOING, (tuple(allocations), *window, MAX_OF_A_KIND))
    for id_, at, published_at, routing_key, body, allocation_id, caused_by in cursor.fetchall():
        about: dict[str, Any] = json.loads(body)
        yield TimelineEntry(
            at=at,
            kind=EntryKind.OUTGOING,
            action=routing_key,
            outcome="published" if published_at else "waiting",
            detail=texts.say("message_id", id=id_),
            user_id=about.get("userId"),
            device_id=about.get("deviceId"),
            allocation_id=allocation_id,
            caused_by=caused_by,
            next_step="" if published_at else texts.say("unpublished"),
        )
