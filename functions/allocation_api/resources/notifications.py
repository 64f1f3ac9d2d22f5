"""Notifications of a user: their inbox, and the mark that a notification was read."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pymysql.cursors import Cursor

from allocation_api.access import Access, Router
from allocation_api.errors import not_found
from allocation_api.fields import PathId, ResponseBody
from allocation_api.pages import (
    DEFAULT_PAGE_SIZE,
    PageCursor,
    PageLimit,
    decode_cursor,
    invalid_cursor,
    paginate,
)
from scheduler.database.connection import Database
from scheduler.domain.notices import Channel
from scheduler.ids import is_uuid
from scheduler.outbox.delivery import public_error


class DeliveryResponse(ResponseBody):
    """The delivery of a notification on one channel, and the error if it failed.

    Administrators see the provider's error, users a code such as ``no_address``.
    """

    channel: Channel
    status: str
    attempts: int
    last_error: str | None
    sent_at: datetime | None


class NotificationResponse(ResponseBody):
    """A notification in the user's language; ``data`` is for programs."""

    id: str
    type: str
    title: str
    message: str
    data: dict[str, Any]
    created_at: datetime
    read_at: datetime | None
    deliveries: list[DeliveryResponse]


class NotificationPage(ResponseBody):
    """A page of a user's notifications, newest first."""

    items: list[NotificationResponse]
    next_cursor: str | None


_SELECT: Final = """
    SELECT id, type, title, message, data, created_at, read_at FROM notifications
    WHERE user_id = %s
"""
_SELECT_ONE: Final = f"{_SELECT} AND id = %s"
_SELECT_PAGE: Final = f"{_SELECT} {{filters}} ORDER BY id DESC LIMIT %s"
_SELECT_DELIVERIES: Final = """
    SELECT notification_id, channel, status, attempts, last_error, sent_at
    FROM notification_deliveries WHERE notification_id IN %s
    ORDER BY notification_id, channel
"""
_UPDATE_FIRST_READ: Final = """
    UPDATE notifications FORCE INDEX (PRIMARY) SET read_at = %s
    WHERE id = %s AND user_id = %s AND read_at IS NULL
"""


def select_notifications(
    cursor: Cursor, user_id: str, before: str | None, limit: int, *, unread: bool
) -> list[NotificationResponse]:
    """Return a user's notifications, newest first.

    Args:
        cursor: of a transaction.
        user_id: the user.
        before: the last id of the previous page; None starts at the newest.
        limit: how many at most.
        unread: only those that were not read yet.
    """
    filters = "AND id < %s " * bool(before) + "AND read_at IS NULL" * unread
    parameters = (user_id, before, limit) if before else (user_id, limit)
    cursor.execute(_SELECT_PAGE.format(filters=filters), parameters)
    return _with_deliveries(cursor, cursor.fetchall())


def select_notification(
    cursor: Cursor, user_id: str, notification_id: str
) -> NotificationResponse | None:
    """Return a notification of a user; None if they have none with that id."""
    if not is_uuid(notification_id):
        return None
    cursor.execute(_SELECT_ONE, (user_id, notification_id))
    found = _with_deliveries(cursor, cursor.fetchall())
    return found[0] if found else None


def update_read(cursor: Cursor, user_id: str, notification_id: str, now: datetime) -> None:
    """Store when a notification was read for the first time."""
    if is_uuid(notification_id):
        cursor.execute(_UPDATE_FIRST_READ, (now, notification_id, user_id))


def notification_routes(database: Database) -> Router:
    """Return the routes that show a user's inbox."""
    router = Router()

    @router.get(
        "/api/users/<user_id>/notifications",
        operation_id="listNotifications",
        summary="List a user's notifications, newest first",
    )
    @router.allow(Access.OWNER)
    def inbox(
        user_id: PathId,
        unread: bool = False,  # noqa: FBT001, FBT002 - a query parameter
        limit: PageLimit = DEFAULT_PAGE_SIZE,
        cursor: PageCursor = None,
    ) -> NotificationPage:
        before = _position(cursor) if cursor else None
        with database.transaction() as sql:
            found = select_notifications(sql, user_id, before, limit + 1, unread=unread)
        page, next_cursor = paginate(_shown(found), limit, lambda last: (last.id,))
        return NotificationPage(items=page, next_cursor=next_cursor)

    @router.post(
        "/api/users/<user_id>/notifications/<notification_id>/read",
        operation_id="markRead",
        summary="Mark a notification as read",
    )
    @router.allow(Access.OWNER)
    def mark_read(user_id: PathId, notification_id: PathId) -> NotificationResponse:
        with database.transaction() as sql:
            update_read(sql, user_id, notification_id, datetime.now(UTC))
            found = select_notification(sql, user_id, notification_id)
        if found is None:
            raise not_found("notification")
        return _shown([found])[0]

    def _shown(notifications: Sequence[NotificationResponse]) -> Sequence[NotificationResponse]:
        if router.caller.is_admin:
            return notifications
        return [_with_public_errors(one) for one in notifications]

    return router


def _with_public_errors(notification: NotificationResponse) -> NotificationResponse:
    deliveries = [
        one.model_copy(update={"last_error": public_error(one.last_error)})
        for one in notification.deliveries
    ]
    return notification.model_copy(update={"deliveries": deliveries})


def _position(cursor: str) -> str:
    (id_,) = decode_cursor(cursor, parts=1)
    if not is_uuid(id_):
        raise invalid_cursor()
    return id_


def _with_deliveries(cursor: Cursor, rows: Sequence[tuple[Any, ...]]) -> list[NotificationResponse]:
    deliveries = select_deliveries(cursor, tuple(row[0] for row in rows)) if rows else {}
    return [
        NotificationResponse(
            id=id_,
            type=type_,
            title=title,
            message=message,
            data=json.loads(data),
            created_at=created_at,
            read_at=read_at,
            deliveries=deliveries.get(id_, []),
        )
        for id_, type_, title, message, data, created_at, read_at in rows
    ]


def select_deliveries(cursor: Cursor, ids: tuple[str, ...]) -> dict[str, list[DeliveryResponse]]:
    """Return the deliveries of notifications, by id."""
    deliveries: dict[str, list[DeliveryResponse]] = defaultdict(list)
    cursor.execute(_SELECT_DELIVERIES, (ids,))
    for id_, channel, status, attempts, last_error, sent_at in cursor.fetchall():
        delivery = DeliveryResponse(
            channel=channel,
            status=status,
            attempts=attempts,
            last_error=last_error,
            sent_at=sent_at,
        )
        deliveries[id_].append(delivery)
    return deliveries
