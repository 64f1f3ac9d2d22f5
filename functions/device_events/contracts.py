"""The contracts of the device events."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, Field, model_validator

from scheduler.domain.guard import Concern, Guard
from scheduler.domain.model import Health
from scheduler.messaging.contract import DECIMAL, PLAIN_INTEGER, DeviceEvent, FreeText, Word

_MAX_SIZE: Final = 1_000_000_000
_BELOW, _ABOVE = Decimal(-1), Decimal(_MAX_SIZE + 1)
"""Sizes that are out of range."""

Size = Annotated[int, Field(ge=0, le=_MAX_SIZE), PLAIN_INTEGER]
"""A number of cores or megabytes."""

_MAX_NAME: Final = 128
_MAX_HOST: Final = 255
_MB_PER_GB: Final = 1024

Name = Annotated[FreeText, AfterValidator(lambda name: name[:_MAX_NAME])]
"""The name of a device, cut at 128 characters."""

AdbHost = Annotated[FreeText, AfterValidator(lambda host: host[:_MAX_HOST])]
"""A host name or address."""


class DeviceState(StrEnum):
    """The states that have a meaning here; the device service may report others."""

    RUNNING = "running"
    STOPPED = "stopped"
    ERROR = "error"
    FAILED = "failed"
    MAINTENANCE = "maintenance"


_UNUSABLE: Final = frozenset({DeviceState.STOPPED, DeviceState.ERROR})
_KNOWN: Final = frozenset(DeviceState)


def health_of(status: str) -> Health:
    """Return what a reported status means; only the device's deletion event deletes it."""
    return Health(status) if status in _KNOWN else Health.UNKNOWN


class DeviceFailed(DeviceEvent):
    """A device failed."""

    event_type: ClassVar = "device.failed"
    guard: ClassVar = Guard(Concern.HEALTH, (Concern.HEALTH,))
    braked: ClassVar = True
    reason: FreeText
    """What failed, for the user who held the device."""

    @property
    def reports(self) -> Health:
        """Return the health that it reports."""
        return Health.FAILED

    @property
    def summary(self) -> str:
        """Return the reason."""
        return f"reason: {self.reason}"


class DeviceDeleted(DeviceEvent):
    """A device was deleted; only a later device.created brings it back."""

    event_type: ClassVar = "device.deleted"
    guard: ClassVar = Guard(Concern.CREATION, (Concern.HEALTH,))
    # A creation between two deletions must not bring the device back if it arrives last.
    applies_to_deleted: ClassVar = True


class DeviceStatusChanged(DeviceEvent):
    """The state of a device changed."""

    event_type: ClassVar = "device.status_changed"
    guard: ClassVar = Guard(Concern.HEALTH, (Concern.HEALTH,))
    critical: ClassVar = False
    braked: ClassVar = True
    old_status: Word
    """The status before; only a change from ``running`` takes the device from its user."""
    new_status: Word
    """The status now; ``stopped`` and ``error`` release a running device."""

    @property
    def reports(self) -> Health:
        """Return the health that it reports."""
        return health_of(self.new_status)

    @property
    def releases(self) -> bool:
        """Return whether a running device became unusable, so that it is released."""
        return self.old_status == DeviceState.RUNNING and self.new_status in _UNUSABLE

    @property
    def summary(self) -> str:
        """Return the change."""
        return f"{self.old_status} → {self.new_status}"


class DeviceMaintenance(DeviceEvent):
    """Maintenance of a device began."""

    event_type: ClassVar = "device.maintenance"
    guard: ClassVar = Guard(Concern.HEALTH, (Concern.HEALTH,))
    maintenance_type: FreeText
    """The kind of maintenance, for the user who held the device."""
    estimated_duration: Annotated[int, Field(ge=0, le=5_256_000), PLAIN_INTEGER] | None = None
    """How long it is expected to take, in minutes. 0 means unknown."""

    @property
    def reports(self) -> Health:
        """Return the health that it reports."""
        return Health.MAINTENANCE

    @property
    def summary(self) -> str:
        """Return the type of maintenance."""
        return f"type: {self.maintenance_type}"


class DeviceCreated(DeviceEvent):
    """A device joins the pool or returns to it, unless its ``status`` is not running.

    The device service's own format is accepted, too: ``deviceName``, and sizes in ``deviceConfig``
    with ``storageGB``.
    """

    event_type: ClassVar = "device.created"
    guard: ClassVar = Guard(Concern.CREATION, (Concern.CREATION, Concern.HEALTH))
    applies_to_deleted: ClassVar = True
    name: Name | None = None
    """Its display name; defaults to its id."""
    status: Word | None = None
    """Its status; unless it is ``running`` or empty, the device stays outside the pool."""
    cpu_cores: Size | None = None
    """Number of cores; a device of unknown size is allocated last. 0 means unknown."""
    memory_mb: Annotated[Size | None, Field(alias="memoryMB")] = None
    """Memory in MB."""
    storage_mb: Annotated[Size | None, Field(alias="storageMB")] = None
    """Storage in MB."""
    adb_host: AdbHost | None = None
    """The host that its user connects to with adb."""
    adb_port: Annotated[int, Field(ge=0, le=65_535), PLAIN_INTEGER] | None = None
    """The port that its user connects to with adb. 0 means unknown."""

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, body: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Fill in missing fields from the device service's own format."""
        if not isinstance(body, dict):
            return body
        found = _sizes(body.get("deviceConfig"))
        found["name"] = body.get("deviceName")
        missing = {name: value for name, value in found.items() if body.get(name) is None}
        return {**body, **missing}

    @property
    def summary(self) -> str:
        """Return the status, if there is one."""
        return f"status: {self.status}" if self.status else ""


def _sizes(config: object) -> dict[str, Any]:
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise ValueError("deviceConfig: Input should be a JSON object")  # noqa: TRY004 - pydantic's
    sizes = {name: config.get(name) for name in ("cpuCores", "memoryMB", "storageMB")}
    if sizes["storageMB"] is None and (gigabytes := config.get("storageGB")) is not None:
        sizes["storageMB"] = _megabytes(gigabytes)
    return sizes


def _megabytes(gigabytes: object) -> int:
    if not isinstance(gigabytes, bool) and DECIMAL.fullmatch(str(gigabytes)):
        # The field has the limits. To convert half a million digits would take 14 seconds.
        megabytes = Decimal(str(gigabytes)) * _MB_PER_GB
        return int(max(_BELOW, min(megabytes, _ABOVE)))
    raise ValueError("deviceConfig.storageGB: Input should be a number such as 8")
