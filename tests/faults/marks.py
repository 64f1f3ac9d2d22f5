"""Which events make which others outdated: the marks of the model. Pure.

A mark of a concern has the newest time of its events, their highest version, and the newest time of
those without a version. Two events with a version are compared by it, all others by their times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.faults.workload import RECEIPT

if TYPE_CHECKING:
    from tests.faults.workload import DrillEvent

_SECOND: Final = 999_999
_NEVER: Final = -1


class Mark(NamedTuple):
    """The newest time, the highest version, and the newest time of an event without a version."""

    newest: int = _NEVER
    version: int | None = None
    without: int | None = None


NO_MARK: Final = Mark()


class EarlyReport(NamedTuple):
    """The newest report about a deleted device, which may be about its next life."""

    health: str
    at: int
    version: int | None

    @property
    def fields(self) -> dict[str, int]:
        """Return the fields that are compared, as of an event."""
        return {} if self.version is None else {"version": self.version}


def is_older(event: DrillEvent | EarlyReport, mark: Mark) -> bool:
    """Return whether an event is older than one that has set the mark."""
    version: int | None = event.fields.get("version")
    if version is None:
        return latest(event.at) < mark.newest
    if mark.version is not None and version <= mark.version:
        return True
    return mark.without is not None and latest(event.at) < mark.without


def advanced(event: DrillEvent | EarlyReport, mark: Mark) -> Mark:
    """Return a mark after an event was applied."""
    version: int | None = event.fields.get("version")
    if version is None:
        without = max(event.at, _NEVER if mark.without is None else mark.without)
        return mark._replace(newest=max(event.at, mark.newest), without=without)
    return mark._replace(newest=max(event.at, mark.newest), version=max(version, mark.version or 0))


def without_version(mark: Mark) -> Mark:
    """Return a mark with which events are compared by their times only."""
    return Mark(mark.newest, None, mark.newest)


def leaves_debt(event: DrillEvent) -> bool:
    """Return whether it is a payment that was not enough, so that it makes nothing outdated."""
    return bool(event.fields.get("newBalance", 0) < 0)


def latest(at: int) -> int:
    """Return the latest moment that a time may mean; a whole second stands for all of it."""
    return at if at == RECEIPT or at % (_SECOND + 1) else at + _SECOND


COMPARED: Final = {
    "device.failed": "health",
    "device.deleted": "creation",
    "device.status_changed": "health",
    "device.maintenance": "health",
    "device.created": "creation",
    "user.deleted": "",
    "user.suspended": "account",
    "user.quota_updated": "quota",
    "user.quota_exceeded": "quota",
    "user.activated": "account",
    "billing.payment_failed": "billing",
    "billing.balance_low": "billing",
    "billing.overdue": "billing",
    "billing.payment_success": "billing",
    "billing.recharged": "billing",
}
"""The concern in which an event can be older than another."""
ADVANCED: Final[dict[str, tuple[str, ...]]] = {
    **{event_type: (concern,) for event_type, concern in COMPARED.items()},
    "device.deleted": ("health",),
    "device.created": ("creation", "health"),
    "user.deleted": ("account",),
    "user.quota_exceeded": (),
    "billing.payment_failed": (),
    "billing.balance_low": (),
}
"""The concerns in which it makes older ones outdated."""
