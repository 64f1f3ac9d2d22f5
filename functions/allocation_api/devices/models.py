"""Devices on the wire."""

from __future__ import annotations

from allocation_api.wire import Answer
from scheduler.domain.model import DeviceStatus, Health


class Device(Answer):
    """A device; sizes in MB, 0 = unknown. How to reach it is shown to its holder only."""

    id: str
    name: str
    status: DeviceStatus
    health: Health
    cpu_cores: int
    memory_mb: int
    storage_mb: int
    adb_host: str | None
    adb_port: int | None


class DevicePage(Answer):
    """Some of the devices, by id."""

    items: list[Device]
    next_cursor: str | None
