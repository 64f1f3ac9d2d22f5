"""Why an allocation was released: a code for machines, parameters for the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from decimal import Decimal


class ReleaseReason(NamedTuple):
    """The reason of a release; ``text`` is its key in the text catalogue."""

    code: str
    text: str
    params: dict[str, Any]

    @classmethod
    def _of(cls, code: str, **params: object) -> Self:
        return cls(code, code, params)

    @classmethod
    def device_failed(cls, reason: str) -> Self:
        """Return the reason of device.failed."""
        return cls._of("device_failed", reason=reason)

    @classmethod
    def device_deleted(cls) -> Self:
        """Return the reason of device.deleted."""
        return cls._of("device_deleted")

    @classmethod
    def device_status_changed(cls, old: str, new: str) -> Self:
        """Return the reason of device.status_changed."""
        return cls._of("device_status_changed", old=old, new=new)

    @classmethod
    def device_maintenance(cls, maintenance_type: str, minutes: int | None) -> Self:
        """Return the reason of device.maintenance; ``minutes`` are None or 0 if unknown."""
        if not minutes:
            return cls._of("device_maintenance", type=maintenance_type)
        params = {"type": maintenance_type, "minutes": minutes}
        return cls("device_maintenance", "device_maintenance_estimated", params)

    @classmethod
    def user_deleted(cls) -> Self:
        """Return the reason of user.deleted."""
        return cls._of("user_deleted")

    @classmethod
    def user_suspended(cls, reason: str) -> Self:
        """Return the reason of user.suspended."""
        return cls._of("user_suspended", reason=reason)

    @classmethod
    def quota_updated(cls, max_devices: int) -> Self:
        """Return the reason of user.quota_updated."""
        return cls._of("quota_updated", max_devices=max_devices)

    @classmethod
    def quota_exceeded(cls) -> Self:
        """Return the reason of user.quota_exceeded."""
        return cls._of("quota_exceeded")

    @classmethod
    def payment_failed(cls) -> Self:
        """Return the reason of too many failed payments."""
        return cls._of("payment_failed")

    @classmethod
    def billing_overdue(cls, amount: Decimal, days: int) -> Self:
        """Return the reason of billing.overdue."""
        return cls._of("billing_overdue", amount=amount, days=days)

    @classmethod
    def user_request(cls) -> Self:
        """Return the reason of a release that the user or an administrator requested."""
        return cls._of("user_request")

    @classmethod
    def allocation_expired(cls) -> Self:
        """Return the reason of an allocation that expired."""
        return cls._of("allocation_expired")

    @classmethod
    def device_broken(cls, health: str) -> Self:
        """Return the reason of a late release: the device was broken but not released."""
        return cls._of("device_broken", health=health)

    @classmethod
    def account_blocked(cls) -> Self:
        """Return the reason of a late release: the user was blocked but kept the device."""
        return cls._of("account_blocked")
