"""The waiting line: users who wait for a device, and who gets which device when one is freed."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.quota import Headroom, Requirements, fits, headroom
from scheduler.domain.refusal import RefusedError, require_may_allocate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scheduler.domain.model import Device
    from scheduler.domain.work import Work

BY_WAITING_LINE: Final = "line"
"""Who allocated a device that went to a waiting user, in the allocation's history."""


class WaitingStatus(StrEnum):
    """The state of a waiting entry; all but the first are final."""

    WAITING = "WAITING"
    SERVED = "SERVED"
    """An allocation with the id of the entry exists."""
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REMOVED = "REMOVED"
    """The user was suspended, put on hold or deleted."""


class WaitingEntry(NamedTuple):
    """A queued request for a device; ``minutes`` is how long the device is wanted.

    The entry with the highest priority is served first; among equals, the oldest.
    """

    id: str
    user_id: str
    priority: int
    minutes: int
    requirements: Requirements
    status: WaitingStatus
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    @property
    def allocation_id(self) -> str | None:
        """Return the id of the allocation that served the entry, if one did."""
        return self.id if self.status is WaitingStatus.SERVED else None


def assign(
    work: Work,
    line: Iterable[WaitingEntry],
    free: Iterable[Device],
    reserved_from: Mapping[str, datetime],
) -> list[WaitingEntry]:
    """Allocate free devices to the first entries they suit, and return the entries served.

    Args:
        work: knows the waiting users with all they hold; the devices are locked.
        line: entries in serving order; those of users unknown to ``work`` are skipped.
        free: running devices that nobody holds.
        reserved_from: from when a device is reserved for another user, by device id.
    """
    left = sorted(free, key=lambda one: (not one.sized, one.cpu_cores, one.memory_mb, one.id))
    served = []
    for entry in line:
        limit = headroom_of(work, entry)
        until = work.now + timedelta(minutes=entry.minutes)
        suitable = (
            device
            for device in left
            if limit
            and fits(device, entry.requirements, limit)
            and reserved_from.get(device.id, until) >= until
        )
        if device := next(suitable, None):
            work.allocate(entry.id, entry.user_id, device, until, actor=BY_WAITING_LINE)
            left.remove(device)
            served.append(entry)
    return served


def headroom_of(work: Work, entry: WaitingEntry) -> Headroom | None:
    """Return how large a device the waiting user may have now; None if they may have none."""
    if entry.user_id not in work.users:
        return None
    try:
        require_may_allocate(work.user(entry.user_id))
        return headroom(work, entry.user_id, entry.requirements)
    except RefusedError:
        return None
