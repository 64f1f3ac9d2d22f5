"""The five device events as they arrive."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from scheduler.domain.guard import Concern, Guard
from scheduler.messaging.contract import DeviceEvent, Text, Word

Size = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""A number of cores or megabytes."""


class DeviceState(StrEnum):
    """States the device service reports."""

    RUNNING = "running"
    STOPPED = "stopped"
    ERROR = "error"
    FAILED = "failed"
    MAINTENANCE = "maintenance"


class DeviceFailed(DeviceEvent):
    """A device broke."""

    event_type: ClassVar = "device.failed"
    guard: ClassVar = Guard(Concern.HEALTH, (Concern.HEALTH,))
    braked: ClassVar = True
    reason: Text


class DeviceDeleted(DeviceEvent):
    """A device was removed for good; only a later device.created outweighs it."""

    event_type: ClassVar = "device.deleted"
    guard: ClassVar = Guard(Concern.CREATION, (Concern.HEALTH,))


class DeviceStatusChanged(DeviceEvent):
    """A device went from one state to another."""

    event_type: ClassVar = "device.status_changed"
    guard: ClassVar = Guard(Concern.HEALTH, (Concern.HEALTH,))
    critical: ClassVar = False
    braked: ClassVar = True
    old_status: Word
    new_status: DeviceState


class DeviceMaintenance(DeviceEvent):
    """A device is being maintained; the estimate is in minutes."""

    event_type: ClassVar = "device.maintenance"
    guard: ClassVar = Guard(Concern.HEALTH, (Concern.HEALTH,))
    maintenance_type: Text
    estimated_duration: Annotated[int, Field(ge=0, le=5_256_000)] | None = None


class DeviceCreated(DeviceEvent):
    """A device joins the pool, or comes back to it; sizes in MB."""

    event_type: ClassVar = "device.created"
    guard: ClassVar = Guard(Concern.CREATION, (Concern.CREATION, Concern.HEALTH))
    final: ClassVar = True
    name: Annotated[Text, Field(max_length=128)] | None = None
    cpu_cores: Size | None = None
    memory_mb: Annotated[Size | None, Field(alias="memoryMB")] = None
    storage_mb: Annotated[Size | None, Field(alias="storageMB")] = None
