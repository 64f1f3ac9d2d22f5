"""When which device is promised to whom. Times in UTC."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.database.load import SnapshotMovedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pymysql.cursors import Cursor

    from scheduler.allocation.quota import Room, Wish

_PROMISED: Final = """
    SELECT device_id, MIN(starts_at) FROM reservations FORCE INDEX (calendar)
    WHERE device_id IN %s AND status = 'RESERVED' GROUP BY device_id
"""
_SUITABLE: Final = """
    FROM devices d LEFT JOIN allocations a ON a.active_device_id = d.id
    WHERE d.health = 'running' AND d.cpu_cores BETWEEN %(min_cpu)s AND %(max_cpu)s
        AND d.memory_mb BETWEEN %(min_memory)s AND %(max_memory)s
"""
_IN_SLOT: Final = f"""
    SELECT d.id {_SUITABLE} AND (a.id IS NULL OR a.expires_at <= %(start)s)
        AND NOT EXISTS (
            SELECT 1 FROM reservations r FORCE INDEX (calendar)
            WHERE r.device_id = d.id AND r.status = 'RESERVED'
                AND r.starts_at < %(end)s AND r.ends_at > %(start)s)
"""  # noqa: S608 - constants
# The smallest one, as in the pool: large devices stay for those who need them.
_FREE: Final = f"{_IN_SLOT} ORDER BY d.cpu_cores, d.memory_mb, d.id LIMIT 1"
_LOCK: Final = "SELECT id FROM devices WHERE id = %s FOR UPDATE"
_STILL_FREE: Final = f"{_IN_SLOT} AND d.id = %(device)s"
_BUSY: Final = f"""
    SELECT d.id, NULL, a.expires_at {_SUITABLE}
    UNION ALL
    SELECT r.device_id, r.starts_at, r.ends_at FROM reservations r FORCE INDEX (due_start)
    WHERE r.status = 'RESERVED' AND r.ends_at > %(start)s
"""  # noqa: S608 - constants


_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Slot(NamedTuple):
    """A time from its start to just before its end."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """Return how long it lasts."""
        return self.end - self.start


def promised(cursor: Cursor, device_ids: Collection[str]) -> dict[str, datetime]:
    """Return from when devices are promised to somebody; those that are not are left out."""
    cursor.execute(_PROMISED, (tuple(device_ids),))
    return dict(cursor.fetchall())


def free_device(cursor: Cursor, slot: Slot, wish: Wish, room: Room) -> str | None:
    """Lock and return a device that nobody will hold and nobody is promised in a slot.

    Raises:
        SnapshotMovedError: somebody else has just got it, or for longer; run again.
    """
    parameters = _parameters(slot, wish, room)
    cursor.execute(_FREE, parameters)
    row = cursor.fetchone()
    if row is None:
        return None
    # Whoever gives a device to somebody, or for longer, holds its row.
    cursor.execute(_LOCK, row)
    if not cursor.execute(_STILL_FREE, parameters | {"device": row[0]}):
        raise SnapshotMovedError
    return str(row[0])


def nearest(cursor: Cursor, slot: Slot, wish: Wish, room: Room) -> Slot | None:
    """Return the next slot of the same length in which a device is free; None if none suits."""
    cursor.execute(_BUSY, _parameters(slot, wish, room))
    suitable: set[str] = set()
    busy: defaultdict[str, list[Slot]] = defaultdict(list)
    for device_id, start, end in cursor.fetchall():
        if start is None:
            suitable.add(device_id)
        if end is not None:
            busy[device_id].append(Slot(start or _LONG_AGO, end))
    starts = [earliest(busy[device_id], slot) for device_id in suitable]
    return Slot(min(starts), min(starts) + slot.length) if starts else None


def earliest(busy: Iterable[Slot], slot: Slot) -> datetime:
    """Return when a device has a gap as long as a slot, not before that slot. Pure."""
    start = slot.start
    for taken in sorted(busy):
        if taken.start < start + slot.length and taken.end > start:
            start = taken.end
    return start


def _parameters(slot: Slot, wish: Wish, room: Room) -> dict[str, Any]:
    return {
        "start": slot.start,
        "end": slot.end,
        "min_cpu": wish.cpu_cores,
        "max_cpu": room.cpu_cores,
        "min_memory": wish.memory_mb,
        "max_memory": room.memory_mb,
    }
