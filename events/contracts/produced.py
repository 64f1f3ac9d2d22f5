"""The events that the scheduler publishes; a test compares them with what it stores."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from scheduler.messaging.contract import ResourceId

_Size = Annotated[int, Field(ge=0)]


class ProducedEvent(BaseModel):
    """Base of the events about an allocation."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    event_type: ClassVar[str]

    allocation_id: str
    """The allocation; the same in all of its events."""
    user_id: ResourceId
    """The user who holds or held the device."""
    device_id: ResourceId
    """The device."""
    cpu_cores: _Size
    """Number of cores; 0 if unknown."""
    memory_mb: Annotated[_Size, Field(alias="memoryMB")]
    """Memory in MB; 0 if unknown."""
    storage_mb: Annotated[_Size, Field(alias="storageMB")]
    """Storage in MB; 0 if unknown."""
    timestamp: datetime
    """When it happened, in UTC."""
    caused_by: Annotated[str, Field(default_factory=str)]
    """The id of the message that caused it; absent if a user or the scheduler did."""


class _Granted(ProducedEvent):
    expires_at: datetime
    """When the device will be released automatically."""


class DeviceAllocated(_Granted):
    """A device was allocated to a user."""

    event_type: ClassVar = "device.allocated"


class DeviceExtended(_Granted):
    """An allocation was extended; ``expiresAt`` is the new end."""

    event_type: ClassVar = "device.extended"


class DeviceReleased(ProducedEvent):
    """A device was released and can be allocated again, if it works."""

    event_type: ClassVar = "device.released"
    reason: str
    """A code, such as `device_failed` or `user_request`; all are in docs/texts.md."""
    duration_seconds: _Size
    """How long the user held the device."""


PRODUCED: Final = (DeviceAllocated, DeviceReleased, DeviceExtended)
_BODY: Final = {
    "allocationId": "0193a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b",
    "userId": "user-123",
    "deviceId": "device-001",
    "cpuCores": 4,
    "memoryMB": 8192,
    "storageMB": 65536,
    "timestamp": "2026-03-01T12:00:00+00:00",
    "causedBy": "7d1f2c1e-5a0b-4c55-9a53-0a4f7d3c9b1e",
}
_END: Final = {"expiresAt": "2026-03-01T13:00:00+00:00"}
EXAMPLES: Final = {
    "device.allocated": _BODY | _END,
    "device.released": _BODY | {"reason": "device_failed", "durationSeconds": 600},
    "device.extended": _BODY | _END,
}
