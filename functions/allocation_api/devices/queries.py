"""What is read of devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from scheduler.domain.model import DeviceStatus, Health


class DeviceRow(NamedTuple):
    """A device and who holds it; sizes in MB, 0 = unknown."""

    id: str
    name: str
    status: str
    health: str
    cpu_cores: int
    memory_mb: int
    storage_mb: int
    adb_host: str | None
    adb_port: int | None
    holder: str | None


_SELECT: Final = """
    SELECT d.id, d.name, d.status, d.health, d.cpu_cores, d.memory_mb, d.storage_mb,
           d.adb_host, d.adb_port, a.user_id
    FROM devices d LEFT JOIN allocations a ON a.active_device_id = d.id
"""
_ONE: Final = f"{_SELECT} WHERE d.id = %s"
_LIST: Final = f"{_SELECT} WHERE d.id > %s {{filters}} ORDER BY d.id LIMIT %s"


def find(cursor: Cursor, device_id: str) -> DeviceRow | None:
    """Return one device; None if there is none of that id."""
    cursor.execute(_ONE, (device_id,))
    row = cursor.fetchone()
    return DeviceRow(*row) if row else None


def in_pool(
    cursor: Cursor, status: DeviceStatus | None, health: Health | None, after: str, limit: int
) -> list[DeviceRow]:
    """Return devices by id.

    Args:
        cursor: of a transaction.
        status: only those of this status; None means all.
        health: only those of this health; None means all.
        after: the last id of the page before; empty at first.
        limit: how many at most.
    """
    wanted: dict[str, Any] = {"status": status, "health": health}
    given = {name: value for name, value in wanted.items() if value}
    filters = " ".join(f"AND d.{name} = %s" for name in given)
    cursor.execute(_LIST.format(filters=filters), (after, *given.values(), limit))
    return [DeviceRow(*row) for row in cursor.fetchall()]
