"""Writes notifications and their due deliveries, as the functions commit them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymysql.cursors import Cursor

    from scheduler.domain.notices import Channel

_NOTIFICATIONS: Final = """
    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    VALUES (%s, %s, 'device_released', '设备已释放', '设备故障：Docker crashed', %s, %s, %s)
"""
_DELIVERIES: Final = """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at, user_id)
    VALUES (%s, %s, %s, %s)
"""


class DueNotification(NamedTuple):
    """A notification about a released device."""

    user_id: str
    device_id: str
    channels: tuple[Channel, ...]


def insert(cursor: Cursor, notifications: Iterable[DueNotification]) -> list[str]:
    """Insert notifications that are due now; return their ids, without a commit."""
    now, new = datetime.now(UTC), [(uuid7(), one) for one in notifications]
    cursor.executemany(
        _NOTIFICATIONS,
        [
            (id_, one.user_id, json.dumps({"deviceId": one.device_id}), f"bench:{id_}", now)
            for id_, one in new
        ],
    )
    cursor.executemany(
        _DELIVERIES,
        [(id_, channel, now, one.user_id) for id_, one in new for channel in one.channels],
    )
    return [id_ for id_, _ in new]
