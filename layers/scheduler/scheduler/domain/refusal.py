"""Why a user is refused a device, an extension or a reservation."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from scheduler.domain.model import User, UserStatus

if TYPE_CHECKING:
    from collections.abc import Mapping


class Refusal(StrEnum):
    """The reason of a refusal; the value is the error code that clients see."""

    USER_DELETED = "user_deleted"
    USER_SUSPENDED = "user_suspended"
    BILLING_HOLD = "billing_hold"
    QUOTA_EXCEEDED = "quota_exceeded"
    NO_DEVICE_AVAILABLE = "no_device_available"
    NOT_ACTIVE = "not_active"
    DURATION_EXCEEDED = "duration_exceeded"
    DEVICE_RESERVED = "device_reserved"
    SLOT_TAKEN = "slot_taken"


_MESSAGES: Final = {
    Refusal.USER_DELETED: "the account was deleted",
    Refusal.USER_SUSPENDED: "the account is suspended",
    Refusal.BILLING_HOLD: "the service is suspended until a payment arrives",
    Refusal.QUOTA_EXCEEDED: "the quota does not allow this device",
    Refusal.NO_DEVICE_AVAILABLE: "no device that meets the requirements is free",
    Refusal.NOT_ACTIVE: "the allocation has ended",
    Refusal.DURATION_EXCEEDED: "the allocation would exceed the maximum duration",
    Refusal.DEVICE_RESERVED: "the device is reserved by another user",
    Refusal.SLOT_TAKEN: "no device that meets the requirements is free for the whole slot",
}


@dataclass
class RefusedError(Exception):
    """A request was refused; ``details`` holds the figures behind the refusal."""

    refusal: Refusal
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return _MESSAGES[self.refusal]


def require_existing(user: User) -> None:
    """Check that the user was not deleted.

    Raises:
        RefusedError: the user was deleted; that is final.
    """
    if user.status is UserStatus.DELETED:
        raise RefusedError(Refusal.USER_DELETED)


def require_may_allocate(user: User) -> None:
    """Check that the user may hold devices at all; the quota is checked elsewhere.

    Raises:
        RefusedError: the user is deleted, suspended or on billing hold.
    """
    require_existing(user)
    if user.status is UserStatus.SUSPENDED:
        raise RefusedError(Refusal.USER_SUSPENDED)
    if user.billing_hold:
        raise RefusedError(Refusal.BILLING_HOLD)
