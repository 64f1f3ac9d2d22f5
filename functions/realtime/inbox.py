"""What a user has not read and may have missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.realtime.protocol import frame

if TYPE_CHECKING:
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.realtime.protocol import Since

NEWEST: Final = 100
"""How many notifications are repeated at most; a client that gets so many asks the inbox."""

# Only what goes to the WebSocket at all: a user may have switched it off for a type. The user's own
# notifications first: left to itself, MariaDB may begin with everybody's recent deliveries.
_MISSED: Final = """
    SELECT n.id, n.type, n.title, n.message, n.data, n.created_at
    FROM notifications n
    STRAIGHT_JOIN notification_deliveries d ON d.notification_id = n.id AND d.channel = 'websocket'
    WHERE n.user_id = %s AND n.id >= %s AND n.read_at IS NULL
    ORDER BY n.id DESC LIMIT %s
"""


class Missed(NamedTuple):
    """A notification and its frame."""

    id: str
    frame: bytes


def missed(cursor: Cursor, user_id: str, since: Since) -> list[Missed]:
    """Return the unread notifications since a point, oldest first; of many the newest."""
    cursor.execute(_MISSED, (user_id, since.first, NEWEST))
    rows = [row for row in cursor.fetchall() if row[0] != since.seen]
    return [_missed(*row) for row in reversed(rows)]


def _missed(
    id_: str, type_: str, title: str, message: str, data: str, created_at: datetime
) -> Missed:
    text = frame(
        id_=id_, type_=type_, title=title, message=message, data=data, created_at=created_at
    )
    return Missed(id_, text)
