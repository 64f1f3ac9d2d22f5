"""Reservations: the statements on the table ``reservations``.

The user's row must be locked to change a reservation.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from scheduler.database.errors import StaleSnapshotError
from scheduler.database.rows import DEVICE_COLUMNS, to_device
from scheduler.database.times import EPOCH
from scheduler.domain.quota import Requirements, min_size
from scheduler.domain.reservation import Reservation, ReservationStatus, Slot, earliest_gap
from scheduler.ids import is_uuid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.model import Device
    from scheduler.domain.quota import Headroom

_COLUMNS: Final = """
    r.id, r.user_id, r.device_id, r.starts_at, r.ends_at, r.min_cpu_cores, r.min_memory_mb,
    r.status, r.created_at, r.ended_at
"""
_ONE: Final = f"SELECT {_COLUMNS} FROM reservations r WHERE r.id = %s"  # noqa: S608 - a constant
_OF_USER: Final = f"""
    SELECT {_COLUMNS} FROM reservations r FORCE INDEX (by_user)
    WHERE r.user_id = %s AND r.status = 'RESERVED' ORDER BY r.starts_at, r.id
"""  # noqa: S608 - a constant
# Locked while a free slot is searched and until the reservation is committed, so that two requests
# cannot find the same slot. The upsert locks the row even if it exists. The lock order is the
# user's row, this row, the device's row.
_BOOKING_MUTEX: Final = """
    INSERT INTO mutexes (name) VALUES ('reservations') ON DUPLICATE KEY UPDATE name = VALUES(name)
"""
_RESERVE: Final = """
    INSERT INTO reservations
        (id, user_id, device_id, starts_at, ends_at, min_cpu_cores, min_memory_mb, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_END: Final = "UPDATE reservations SET status = %s, ended_at = %s WHERE id IN %s"
_RESERVED_FROM: Final = """
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
# The smallest device first, as in the pool: large ones stay free for those who need them, and those
# of unknown size come last.
_FREE_IN_SLOT: Final = f"""{_IN_SLOT}
    ORDER BY d.cpu_cores = 0 OR d.memory_mb = 0, d.cpu_cores, d.memory_mb, d.id LIMIT 1
"""
_LOCK_DEVICE: Final = "SELECT id FROM devices WHERE id = %s FOR UPDATE"
_STILL_FREE: Final = f"{_IN_SLOT} AND d.id = %(device)s"
_BUSY: Final = f"""
    SELECT d.id, NULL, a.expires_at {_SUITABLE}
    UNION ALL
    SELECT r.device_id, r.starts_at, r.ends_at FROM reservations r FORCE INDEX (due_start)
    WHERE r.status = 'RESERVED' AND r.ends_at > %(start)s
"""  # noqa: S608 - constants
_DUE: Final = f"""
    SELECT {_COLUMNS} FROM reservations r FORCE INDEX (due_start)
    WHERE r.status = 'RESERVED' AND r.starts_at <= %(now)s AND r.starts_at >= %(after)s
        AND (r.starts_at > %(after)s OR r.id > %(after_id)s)
    ORDER BY r.starts_at, r.id LIMIT %(limit)s
"""  # noqa: S608 - constants
_STILL_RESERVED: Final = f"""
    SELECT {_COLUMNS} FROM reservations r
    WHERE r.id IN %s AND r.status = 'RESERVED' ORDER BY r.starts_at, r.id
    FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - constants
_LOCK_FREE_DEVICES: Final = f"""
    SELECT {DEVICE_COLUMNS} FROM devices d
    WHERE d.id IN %s AND d.free = 1
    FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - constants


def find(cursor: Cursor, reservation_id: str) -> Reservation | None:
    """Return a reservation in any state; None for an unknown id."""
    if not is_uuid(reservation_id):
        return None
    cursor.execute(_ONE, (reservation_id,))
    row = cursor.fetchone()
    return _reservation(row) if row else None


def of_user(cursor: Cursor, user_id: str) -> list[Reservation]:
    """Return a user's reservations that have not started, in order of their start."""
    cursor.execute(_OF_USER, (user_id,))
    return [_reservation(row) for row in cursor.fetchall()]


def lock_booking(cursor: Cursor) -> None:
    """Lock the booking of slots for this transaction; others wait for its end."""
    cursor.execute(_BOOKING_MUTEX)


def reserve(cursor: Cursor, reservation: Reservation) -> None:
    """Insert a reservation."""
    one, slot, requirements = reservation, reservation.slot, reservation.requirements
    sizes = (requirements.cpu_cores, requirements.memory_mb)
    cursor.execute(
        _RESERVE,
        (one.id, one.user_id, one.device_id, slot.start, slot.end, *sizes, one.created_at),
    )


def end(cursor: Cursor, ids: Collection[str], status: ReservationStatus, now: datetime) -> None:
    """Set the final state of reservations."""
    cursor.execute(_END, (status, now, tuple(ids)))


def reserved_from(cursor: Cursor, device_ids: Collection[str]) -> dict[str, datetime]:
    """Return when the next reservation of each device starts; other devices are left out."""
    cursor.execute(_RESERVED_FROM, (tuple(device_ids),))
    return dict(cursor.fetchall())


def lock_free_device(
    cursor: Cursor, slot: Slot, requirements: Requirements, limit: Headroom
) -> str | None:
    """Lock a suitable device that is free for the whole slot, and return its id.

    Returns None if there is none.

    Raises:
        StaleSnapshotError: the device was allocated in the meantime; run the transaction again.
    """
    parameters = _parameters(slot, requirements, limit)
    cursor.execute(_FREE_IN_SLOT, parameters)
    row = cursor.fetchone()
    if row is None:
        return None
    # Allocating a device and extending its allocation lock the device's row, too.
    cursor.execute(_LOCK_DEVICE, row)
    if not cursor.execute(_STILL_FREE, parameters | {"device": row[0]}):
        raise StaleSnapshotError
    return str(row[0])


def nearest_free_slot(
    cursor: Cursor, slot: Slot, requirements: Requirements, limit: Headroom
) -> Slot | None:
    """Return the next slot of the same length with a free device; None without suitable devices."""
    cursor.execute(_BUSY, _parameters(slot, requirements, limit))
    suitable: set[str] = set()
    busy: defaultdict[str, list[Slot]] = defaultdict(list)
    for device_id, start, end_ in cursor.fetchall():
        if start is None:
            suitable.add(device_id)
        if end_ is not None:
            busy[device_id].append(Slot(start or EPOCH, end_))
    starts = [earliest_gap(busy[device_id], slot) for device_id in suitable]
    return Slot(min(starts), min(starts) + slot.length) if starts else None


def due(cursor: Cursor, now: datetime, after: Reservation | None, limit: int) -> list[Reservation]:
    """Return reservations whose slot has started, in order of their start, following ``after``."""
    parameters = {
        "now": now,
        "after": after.slot.start if after else EPOCH,
        "after_id": after.id if after else "",
        "limit": limit,
    }
    cursor.execute(_DUE, parameters)
    return [_reservation(row) for row in cursor.fetchall()]


def still_reserved(cursor: Cursor, ids: Sequence[str]) -> list[Reservation]:
    """Lock and return which reservations have neither started nor ended, in order of their start.

    Those that another transaction has locked are left out.
    """
    cursor.execute(_STILL_RESERVED, (tuple(ids),))
    return [_reservation(row) for row in cursor.fetchall()]


def lock_reserved_devices(cursor: Cursor, reservations: Sequence[Reservation]) -> dict[str, Device]:
    """Lock the reserved devices that are free, running and not locked; return them by id."""
    cursor.execute(_LOCK_FREE_DEVICES, (tuple(one.device_id for one in reservations),))
    return {row[0]: to_device(row) for row in cursor.fetchall()}


def _parameters(slot: Slot, requirements: Requirements, limit: Headroom) -> dict[str, Any]:
    return {
        "start": slot.start,
        "end": slot.end,
        "min_cpu": min_size(requirements.cpu_cores, limit.cpu_cores),
        "max_cpu": limit.cpu_cores,
        "min_memory": min_size(requirements.memory_mb, limit.memory_mb),
        "max_memory": limit.memory_mb,
    }


def _reservation(row: tuple[Any, ...]) -> Reservation:
    id_, user_id, device_id, starts_at, ends_at, cpu, memory, status, created_at, ended_at = row
    return Reservation(
        id_,
        user_id,
        device_id,
        Slot(starts_at, ends_at),
        Requirements(cpu, memory),
        ReservationStatus(status),
        created_at,
        ended_at,
    )
