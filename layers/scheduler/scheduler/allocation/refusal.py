"""Why a user does not get a device, or does not keep it longer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from scheduler.domain.model import User, UserStatus

if TYPE_CHECKING:
    from collections.abc import Mapping


class Refusal(StrEnum):
    """The cause of a refusal, as clients know it."""

    USER_DELETED = "user_deleted"
    USER_SUSPENDED = "user_suspended"
    BILLING_HOLD = "billing_hold"
    QUOTA_EXCEEDED = "quota_exceeded"
    NO_DEVICE_AVAILABLE = "no_device_available"
    NOT_ACTIVE = "not_active"
    DURATION_EXCEEDED = "duration_exceeded"
    DEVICE_RESERVED = "device_reserved"
    SLOT_TAKEN = "slot_taken"


_SENTENCES: Final = {
    Refusal.USER_DELETED: "the account was deleted",
    Refusal.USER_SUSPENDED: "the account is suspended",
    Refusal.BILLING_HOLD: "the account is on hold until a payment arrives",
    Refusal.QUOTA_EXCEEDED: "the quota leaves no room for this device",
    Refusal.NO_DEVICE_AVAILABLE: "no device that meets the wishes is free",
    Refusal.NOT_ACTIVE: "the allocation has ended",
    Refusal.DURATION_EXCEEDED: "no allocation may last that long",
    Refusal.DEVICE_RESERVED: "the device is reserved for somebody else",
    Refusal.SLOT_TAKEN: "no device that meets the wishes is free all the time",
}


@dataclass
class RefusedError(Exception):
    """A user does not get a device, or not for longer; ``details`` says what stood against it."""

    refusal: Refusal
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return _SENTENCES[self.refusal]


def require_existing(user: User) -> None:
    """Return if the user was not deleted.

    Raises:
        RefusedError: he was; nothing about him changes any more.
    """
    if user.status is UserStatus.DELETED:
        raise RefusedError(Refusal.USER_DELETED)


def require_may_allocate(user: User) -> None:
    """Return if nothing but the quota limits what the user may hold.

    Raises:
        RefusedError: he is deleted or suspended, or his account is on hold.
    """
    require_existing(user)
    if user.status is UserStatus.SUSPENDED:
        raise RefusedError(Refusal.USER_SUSPENDED)
    if user.billing_hold:
        raise RefusedError(Refusal.BILLING_HOLD)
