"""The contracts of the user events."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from scheduler.domain.guard import Concern, Guard
from scheduler.messaging.contract import PLAIN_INTEGER, FreeText, UserEvent

_MAX_LIMIT: Final = 1_000_000_000

Limit = Annotated[int, Field(ge=0, le=_MAX_LIMIT), PLAIN_INTEGER]


class UserDeleted(UserEvent):
    """An account was deleted; no later event brings it back."""

    event_type: ClassVar = "user.deleted"
    guard: ClassVar = Guard(None, (Concern.ACCOUNT,))
    erases: ClassVar = True


class UserSuspended(UserEvent):
    """An account was suspended."""

    event_type: ClassVar = "user.suspended"
    guard: ClassVar = Guard(Concern.ACCOUNT, (Concern.ACCOUNT,))
    reason: FreeText
    """Why, for the user."""

    @property
    def summary(self) -> str:
        """Return the reason."""
        return f"reason: {self.reason}"


class UserActivated(UserEvent):
    """A suspended account was activated again."""

    event_type: ClassVar = "user.activated"
    guard: ClassVar = Guard(Concern.ACCOUNT, (Concern.ACCOUNT,))


class WireQuota(BaseModel):
    """What a user may hold; memory in MB. A missing field means no limit."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    max_devices: Limit
    """The number of devices."""
    max_cpu: Limit | None = None
    """The number of cores of all devices together."""
    max_memory: Limit | None = None
    """The memory of all devices together, in MB."""


class UserQuotaUpdated(UserEvent):
    """A user's quota changed."""

    event_type: ClassVar = "user.quota_updated"
    guard: ClassVar = Guard(Concern.QUOTA, (Concern.QUOTA,))
    old_quota: Any = None
    """Only shown in the log: whatever it is, it changes nothing."""
    new_quota: WireQuota
    """What the user may hold from now on."""

    @property
    def summary(self) -> str:
        """Return the change of the number of devices."""
        old = self.old_quota.get("maxDevices") if isinstance(self.old_quota, dict) else None
        before = f"{old} → " if type(old) is int and 0 <= old <= _MAX_LIMIT else ""
        return f"devices: {before}{self.new_quota.max_devices}"


class QuotaType(StrEnum):
    """What a quota limits."""

    DEVICES = "devices"
    CPU = "cpu"
    MEMORY = "memory"


def _without_case(word: object) -> object:
    return word.strip().lower() if isinstance(word, str) else word


class UserQuotaExceeded(UserEvent):
    """A user holds more than allowed; ``current`` is what the publisher counted.

    It sets no quota, so an older user.quota_updated that arrives later counts.
    """

    event_type: ClassVar = "user.quota_exceeded"
    guard: ClassVar = Guard(Concern.QUOTA, ())
    quota_type: Annotated[QuotaType, BeforeValidator(_without_case)]
    """What the quota limits."""
    current: Limit
    """What the publisher counted; only shown in the log."""
    limit: Limit
    """What the user may hold: devices, cores or MB."""

    @property
    def summary(self) -> str:
        """Return the usage that the publisher counted."""
        return f"{self.quota_type}: {self.current}/{self.limit}"
