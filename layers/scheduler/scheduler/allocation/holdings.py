"""What users hold whose rows are locked: while they are, it cannot change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.domain.model import Allocation, Device, DeviceStatus, Health
from scheduler.domain.state import Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymysql.cursors import Cursor

_HELD: Final = """
    SELECT a.id, a.user_id, a.allocated_at, a.device_id,
           d.name, d.status, d.health, d.cpu_cores, d.memory_mb, d.storage_mb
    FROM allocations a FORCE INDEX (active_by_user) JOIN devices d ON d.id = a.device_id
    WHERE a.user_id IN %s AND a.status = 'ALLOCATED'
"""


def holdings(cursor: Cursor, users: Collection[str]) -> Snapshot:
    """Return the active allocations of users and their devices, without locking these."""
    cursor.execute(_HELD, (tuple(users),))
    snapshot = Snapshot()
    for id_, user_id, since, device_id, name, status, health, *sizes in cursor.fetchall():
        held = Allocation(id_, user_id, device_id, since)
        snapshot.allocations[id_] = held
        snapshot.devices[device_id] = Device(
            device_id, name, DeviceStatus(status), Health(health), *sizes
        )
    return snapshot
