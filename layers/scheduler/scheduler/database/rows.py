"""Maps rows that several statements read to objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scheduler.domain.model import Device, DeviceStatus, Health

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVICE_COLUMNS: Final = "d.id, d.name, d.status, d.health, d.cpu_cores, d.memory_mb, d.storage_mb"
DEVICE_WIDTH: Final = DEVICE_COLUMNS.count(",") + 1
"""Number of columns in `DEVICE_COLUMNS`."""


def to_device(row: Sequence[Any]) -> Device:
    """Return the device in the columns `DEVICE_COLUMNS` of the table alias ``d``."""
    id_, name, status, health, cpu_cores, memory_mb, storage_mb = row
    return Device(id_, name, DeviceStatus(status), Health(health), cpu_cores, memory_mb, storage_mb)
