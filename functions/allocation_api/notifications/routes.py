"""Routes of notifications."""

from datetime import UTC, datetime

from allocation_api.errors import not_found
from allocation_api.notifications import queries
from allocation_api.notifications.models import Notification, NotificationPage
from allocation_api.pages import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    foreign_cursor,
    page,
    read_cursor,
)
from allocation_api.routing import Router
from allocation_api.wire import PathId
from scheduler.database.connection import Database
from scheduler.ids import is_uuid


def notification_routes(database: Database) -> Router:
    """Return the routes, which show a user's inbox."""
    router = Router()

    @router.get("/api/users/<user_id>/notifications")
    def inbox(
        user_id: PathId,
        unread: bool = False,  # noqa: FBT001, FBT002 - a query parameter
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> NotificationPage:
        before = _position(cursor) if cursor else None
        with database.transaction() as sql:
            rows = queries.inbox(sql, user_id, before, limit + 1, unread=unread)
        items, next_cursor = page(rows, limit, lambda row: (row.id,))
        shown = [Notification.model_validate(row) for row in items]
        return NotificationPage(items=shown, next_cursor=next_cursor)

    @router.post("/api/users/<user_id>/notifications/<notification_id>/read")
    def mark_read(user_id: PathId, notification_id: PathId) -> Notification:
        with database.transaction() as sql:
            queries.mark_read(sql, user_id, notification_id, datetime.now(UTC))
            found = queries.find(sql, user_id, notification_id)
        if found is None:
            raise not_found("notification")
        return Notification.model_validate(found)

    return router


def _position(cursor: str) -> str:
    (id_,) = read_cursor(cursor, parts=1)
    if not is_uuid(id_):
        raise foreign_cursor()
    return id_
