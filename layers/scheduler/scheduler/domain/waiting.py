"""The waiting line: queued requests, and which of them a freed device goes to."""

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
"""The actor, in the history, of an allocation that served a waiting entry."""


class WaitingStatus(StrEnum):
    """The state of a waiting entry; all but the first are final."""

    WAITING = "WAITING"
    SERVED = "SERVED"
    """An allocation with the id of the entry exists."""
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REMOVED = "REMOVED"
    """The user was suspended, put on billing hold or deleted."""


class WaitingEntry(NamedTuple):
    """A queued request for a device; ``minutes`` is the duration of the allocation.

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
        """Return the id of the allocation if the entry was served."""
        return self.id if self.status is WaitingStatus.SERVED else None


def assign(
    work: Work,
    line: Iterable[WaitingEntry],
    free: Iterable[Device],
    reserved_from: Mapping[str, datetime],
) -> list[WaitingEntry]:
    """Allocate free devices to the first suitable entries, and return the entries served.

    Args:
        work: has loaded the waiting users with all they hold; the devices are locked.
        line: entries in serving order; those of users that ``work`` has not loaded are skipped.
        free: running devices that no user holds.
        reserved_from: when the next reservation of a device starts, by device id.
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
