"""The contracts of the device events."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from scheduler.domain.guard import Concern, Guard
from scheduler.messaging.contract import DeviceEvent, FreeText, ShortText

Size = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""A number of cores or megabytes."""


class DeviceState(StrEnum):
    """The states that the device service reports."""

    RUNNING = "running"
    STOPPED = "stopped"
    ERROR = "error"
    FAILED = "failed"
    MAINTENANCE = "maintenance"


class DeviceFailed(DeviceEvent):
    """A device failed."""

    event_type: ClassVar = "device.failed"
    guard: ClassVar = Guard(Concern.HEALTH, (Concern.HEALTH,))
    braked: ClassVar = True
    reason: FreeText


class DeviceDeleted(DeviceEvent):
    """A device was deleted; only a later device.created brings it back."""

    event_type: ClassVar = "device.deleted"
    guard: ClassVar = Guard(Concern.CREATION, (Concern.HEALTH,))


class DeviceStatusChanged(DeviceEvent):
    """The state of a device changed."""

    event_type: ClassVar = "device.status_changed"
    guard: ClassVar = Guard(Concern.HEALTH, (Concern.HEALTH,))
    critical: ClassVar = False
    braked: ClassVar = True
    old_status: ShortText
    new_status: DeviceState


class DeviceMaintenance(DeviceEvent):
    """Maintenance of a device began; ``estimated_duration`` is in minutes."""

    event_type: ClassVar = "device.maintenance"
    guard: ClassVar = Guard(Concern.HEALTH, (Concern.HEALTH,))
    maintenance_type: FreeText
    estimated_duration: Annotated[int, Field(ge=0, le=5_256_000)] | None = None


class DeviceCreated(DeviceEvent):
    """A device joins the pool or returns to it."""

    event_type: ClassVar = "device.created"
    guard: ClassVar = Guard(Concern.CREATION, (Concern.CREATION, Concern.HEALTH))
    applies_to_deleted: ClassVar = True
    name: Annotated[FreeText, Field(max_length=128)] | None = None
    cpu_cores: Size | None = None
    memory_mb: Annotated[Size | None, Field(alias="memoryMB")] = None
    storage_mb: Annotated[Size | None, Field(alias="storageMB")] = None
