"""Queries of the reconciler: rows that contradict each other, within a part of a walk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.database.walks import Walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.walks import Part
    from scheduler.domain.notices import Channel

MAX_FINDINGS: Final = 500
"""Maximum number of findings of a kind in one part of a walk; the next pass finds the rest."""

ACTIVE_ALLOCATIONS: Final = Walk(
    "active-allocations", "allocations", "active_device_id", "one_holder_per_device"
)
HELD_DEVICES: Final = ACTIVE_ALLOCATIONS._replace(name="held-devices")
DEVICES: Final = Walk("devices", "devices", "id", "PRIMARY")
NOTIFICATIONS: Final = Walk("notifications", "notifications", "created_at", "due_purge")

_OF_DEVICES: Final = """
    SELECT d.id FROM devices d FORCE INDEX (PRIMARY)
    LEFT JOIN allocations a ON a.active_device_id = d.id
    WHERE d.id > %s AND d.id <= %s AND {condition}
    ORDER BY d.id LIMIT %s
"""
_ALLOCATED_WITHOUT_HOLDER: Final = _OF_DEVICES.format(
    condition="d.status = 'allocated' AND a.id IS NULL"
)
_HELD_BUT_AVAILABLE: Final = _OF_DEVICES.format(
    condition="d.status = 'available' AND a.id IS NOT NULL"
)
_ALLOCATIONS_OF_UNKNOWN: Final = """
    SELECT a.id FROM allocations a FORCE INDEX (one_holder_per_device)
    LEFT JOIN users u ON u.id = a.user_id
    LEFT JOIN devices d ON d.id = a.device_id
    WHERE a.active_device_id > %s AND a.active_device_id <= %s AND (u.id IS NULL OR d.id IS NULL)
    LIMIT %s
"""
# Users may have switched off all channels, except for urgent notifications. The order and the
# indices are forced: with the statistics of tables that have just grown, all users are read first.
_MISSING_DELIVERIES: Final = """
    SELECT n.id, n.user_id, n.dedupe_key
    FROM notifications n {index}
    STRAIGHT_JOIN users u FORCE INDEX (PRIMARY) ON u.id = n.user_id
    LEFT JOIN notification_preferences p ON p.user_id = n.user_id
    LEFT JOIN notification_deliveries d FORCE INDEX (one_per_channel) ON d.notification_id = n.id
    WHERE {which} AND d.id IS NULL AND u.status <> 'deleted'
        AND (n.urgent OR p.user_id IS NULL OR JSON_LENGTH(p.channels) = 0)
"""
_IN_PART: Final = _MISSING_DELIVERIES.format(
    index="FORCE INDEX (due_purge)", which="n.created_at > %s AND n.created_at <= %s"
)
_RECENT_WITHOUT_DELIVERIES: Final = f"""{_IN_PART}
    ORDER BY n.created_at LIMIT %s
"""
_STILL_WITHOUT_DELIVERIES: Final = _MISSING_DELIVERIES.format(
    index="", which="n.id IN %s AND n.user_id IN %s"
)
_DELIVERIES: Final = """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at, user_id, kind)
    VALUES (%s, %s, %s, %s, %s)
"""


class NotificationWithoutDeliveries(NamedTuple):
    """A notification that lacks its deliveries."""

    id: str
    user_id: str
    dedupe_key: str

    @property
    def kind(self) -> str:
        """Return the key of its `NoticeKind`, with which its dedupe key starts."""
        return self.dedupe_key.partition(":")[0]


def devices_allocated_without_holder(cursor: Cursor, part: Part) -> list[str]:
    """Return devices that are marked as allocated but have no active allocation."""
    return _ids(cursor, _ALLOCATED_WITHOUT_HOLDER, part)


def held_devices_marked_available(cursor: Cursor, part: Part) -> list[str]:
    """Return devices that are marked as available but have an active allocation."""
    return _ids(cursor, _HELD_BUT_AVAILABLE, part)


def allocations_of_unknown(cursor: Cursor, part: Part) -> list[str]:
    """Return active allocations whose user or device has no row."""
    return _ids(cursor, _ALLOCATIONS_OF_UNKNOWN, part)


def notifications_without_deliveries(
    cursor: Cursor, part: Part
) -> list[NotificationWithoutDeliveries]:
    """Return the notifications of a part that have no delivery."""
    cursor.execute(_RECENT_WITHOUT_DELIVERIES, (part.after, part.until, MAX_FINDINGS))
    return [NotificationWithoutDeliveries(*row) for row in cursor.fetchall()]


def still_without_deliveries(
    cursor: Cursor, notifications: Sequence[NotificationWithoutDeliveries], users: Collection[str]
) -> list[NotificationWithoutDeliveries]:
    """Return which notifications of some users, whose rows are locked, still have no delivery."""
    ids = tuple(one.id for one in notifications)
    cursor.execute(_STILL_WITHOUT_DELIVERIES, (ids, tuple(users)))
    return [NotificationWithoutDeliveries(*row) for row in cursor.fetchall()]


def add_deliveries(
    cursor: Cursor,
    deliveries: Iterable[tuple[NotificationWithoutDeliveries, Channel]],
    due: datetime,
) -> None:
    """Insert deliveries, given as notification and channel, that are due at a time."""
    rows = [(one.id, channel, due, one.user_id, one.kind) for one, channel in deliveries]
    cursor.executemany(_DELIVERIES, rows)


def _ids(cursor: Cursor, statement: str, part: Part) -> list[str]:
    cursor.execute(statement, (part.after, part.until, MAX_FINDINGS))
    return [id_ for (id_,) in cursor.fetchall()]
