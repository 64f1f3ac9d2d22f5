"""Inserts notifications as commits do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from scheduler.realtime.protocol import first_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymysql.cursors import Cursor

NOTIFICATION = """
    INSERT INTO notifications
        (id, user_id, type, title, message, data, dedupe_key, created_at, read_at)
    VALUES (%s, %s, 'device_released', '设备已释放', %s, '{"deviceId": "d1"}', %s, %s, %s)
"""
DELIVERY = """
    INSERT INTO notification_deliveries
        (notification_id, channel, status, next_attempt_at) VALUES (%s, %s, %s, %s)
"""


class StoredNotifications:
    """The tables of notifications and deliveries, with automatic commits."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._number = count()

    def add(
        self,
        user_id: str,
        message: str,
        *,
        made: datetime | None = None,
        status: str = "skipped",
        read: bool = False,
        channels: Sequence[str] = ("websocket",),
    ) -> str:
        """Insert a notification and return its id.

        Args:
            user_id: the recipient.
            message: its text, by which tests recognise it.
            made: when its id was made; now by default.
            status: of its deliveries.
            read: whether the user has read it.
            channels: its deliveries.
        """
        made = made or datetime.now(UTC)
        id_, at = first_id(made)[:-12] + f"{next(self._number):012x}", made
        self._cursor.execute(
            NOTIFICATION, (id_, user_id, message, f"test:{id_}", at, at if read else None)
        )
        for channel in channels:
            self._cursor.execute(DELIVERY, (id_, channel, status, at))
        return id_

    def add_many(self, user_id: str, count: int, made: datetime) -> list[str]:
        """Insert notifications one millisecond apart; return their ids, oldest first."""
        moments = [made + timedelta(milliseconds=number) for number in range(count)]
        rows = [(first_id(at), user_id, "many", first_id(at), at, None) for at in moments]
        self._cursor.executemany(NOTIFICATION, rows)
        deliveries = [(row[0], "websocket", "skipped", row[4]) for row in rows]
        self._cursor.executemany(DELIVERY, deliveries)
        return [row[0] for row in rows]
