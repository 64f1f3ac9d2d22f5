"""One user, one device, and what they hold, for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from pymysql.cursors import Cursor

_USER: Final = """
    SELECT id, status, billing_hold, max_devices, max_cpu, max_memory_mb, locale
    FROM users WHERE id = %s
"""
_DEVICE: Final = """
    SELECT d.id, d.name, d.status, d.health, a.id, a.user_id, a.allocated_at, a.expires_at
    FROM devices d LEFT JOIN allocations a ON a.active_device_id = d.id
    WHERE d.id = %s
"""
_HELD: Final = """
    SELECT id, device_id, allocated_at, expires_at FROM allocations FORCE INDEX (active_by_user)
    WHERE user_id = %s AND status = 'ALLOCATED' ORDER BY allocated_at LIMIT %s
"""
MAX_HELD: Final = 1000
"""The largest number of devices listed for a user."""


class HeldDevice(NamedTuple):
    """An active allocation of a user."""

    allocation_id: str
    device_id: str
    allocated_at: datetime
    expires_at: datetime


class UserLookup(NamedTuple):
    """A user without their address."""

    id: str
    status: str
    billing_hold: bool
    max_devices: int
    max_cpu: int | None
    max_memory_mb: int | None
    locale: str


class DeviceLookup(NamedTuple):
    """A device and its active allocation, if any."""

    id: str
    name: str
    status: str
    health: str
    allocation_id: str | None
    user_id: str | None
    allocated_at: datetime | None
    expires_at: datetime | None


def find_user(cursor: Cursor, user_id: str) -> tuple[UserLookup, list[HeldDevice]] | None:
    """Return a user and up to `MAX_HELD` devices that they hold; None for an unknown user."""
    row = _one(cursor, _USER, user_id)
    if row is None:
        return None
    cursor.execute(_HELD, (user_id, MAX_HELD))
    held = [HeldDevice(*found) for found in cursor.fetchall()]
    return UserLookup(*row)._replace(billing_hold=bool(row[2])), held


def find_device(cursor: Cursor, device_id: str) -> DeviceLookup | None:
    """Return a device and its holder; None for an unknown device."""
    row = _one(cursor, _DEVICE, device_id)
    return None if row is None else DeviceLookup(*row)


def _one(cursor: Cursor, statement: str, id_: str) -> tuple[Any, ...] | None:
    cursor.execute(statement, (id_,))
    return cursor.fetchone()
