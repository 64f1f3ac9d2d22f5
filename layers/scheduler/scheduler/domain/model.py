"""Users, devices and allocations as the rules see them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import NAMESPACE_OID, uuid5

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from scheduler.domain.guard import Stamp

DEFAULT_LOCALE: Final = "zh-CN"
LOCALES: Final = (DEFAULT_LOCALE, "en")
CANARY_PREFIX: Final = "scheduler-canary-"
"""Ids of canaries start with it; a UUID follows."""
_NONE: Final[Mapping[str, Mapping[str, bool]]] = {}


def is_canary(id_: str) -> bool:
    """Return whether an id is a canary's; `scheduler-ops smoke` checks deployments with canaries.

    Canaries go through the real queues, functions and tables. A canary device belongs to the user
    with the same id from its creation, and is never running, so that no other user can get it and
    the mass-failure brake does not count it. Housekeeping deletes their rows.
    """
    return id_.startswith(CANARY_PREFIX)


def canary_allocation(id_: str) -> str:
    """Return the id of the allocation of a canary.

    It is a hash, so that a publisher cannot name a canary after an allocation, a queued request or
    a reservation of another user; each of these has or becomes an allocation with the same id.
    """
    return str(uuid5(NAMESPACE_OID, id_))


class UserStatus(StrEnum):
    """Whether a user may hold devices; deleted is final."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class DeviceStatus(StrEnum):
    """Whether a user holds the device."""

    AVAILABLE = "available"
    ALLOCATED = "allocated"


class Health(StrEnum):
    """Whether the device works; only a running device can be allocated, deleted is final.

    ``unknown`` stands for any state that the device service reports and this service does not know.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    ERROR = "error"
    FAILED = "failed"
    MAINTENANCE = "maintenance"
    DELETED = "deleted"
    UNKNOWN = "unknown"


BROKEN: Final = frozenset(
    {Health.STOPPED, Health.ERROR, Health.FAILED, Health.MAINTENANCE, Health.DELETED}
)
"""States in which a device is taken from its user."""


class Quota(NamedTuple):
    """The most that a user may hold at once; ``None`` means no limit. Memory is in MB."""

    max_devices: int
    max_cpu: int | None = None
    max_memory_mb: int | None = None


class User(NamedTuple):
    """A user of the platform. ``known`` is false until the user has a row.

    ``time_zone`` is an IANA name; None means the usual one of ``locale``. ``channel_choices`` are
    the channels that the user switched on or off, by notification type: see
    `scheduler.notification.preferences`.
    """

    id: str
    quota: Quota
    status: UserStatus = UserStatus.ACTIVE
    billing_hold: bool = False
    locale: str = DEFAULT_LOCALE
    known: bool = True
    time_zone: str | None = None
    channel_choices: Mapping[str, Mapping[str, bool]] = _NONE
    has_preferences: bool = False
    """Whether a row of preferences exists, with choices or without."""
    hold_in_debt: bool = True
    """Whether a billing hold stays in debt: that of an overdue account does."""
    paid_in_debt_at: datetime | None = None
    """The newest time of a payment that left a debt; such payments advance no mark."""
    stopped_at: datetime | None = None
    """When a billing hold was last set; the service may have been stopped already."""

    @property
    def blocked(self) -> bool:
        """Return whether the user may not hold devices at all."""
        return self.status is not UserStatus.ACTIVE or self.billing_hold


class Device(NamedTuple):
    """A cloud phone. ``known`` is false until it has a row; sizes are in MB, 0 means unknown.

    The adb address is written but never loaded: None leaves the stored one as it is.
    """

    id: str
    name: str = ""
    status: DeviceStatus = DeviceStatus.AVAILABLE
    health: Health = Health.RUNNING
    cpu_cores: int = 0
    memory_mb: int = 0
    storage_mb: int = 0
    known: bool = True
    adb_host: str | None = None
    adb_port: int | None = None
    edited_at: datetime | None = None
    """When the API last changed the description; None leaves the stored time as it is."""

    @property
    def sized(self) -> bool:
        """Return whether cores and memory are known; other devices are allocated last."""
        return self.cpu_cores > 0 and self.memory_mb > 0


class EarlyReport(NamedTuple):
    """The newest report about a device that does not count yet.

    The device is deleted, and may turn out to have been created again before the report; or the
    mass-failure brake holds the report.
    """

    health: Health
    stamp: Stamp


class Allocation(NamedTuple):
    """An active allocation: a user holds a device."""

    id: str
    user_id: str
    device_id: str
    allocated_at: datetime
