"""Reservations: a device is kept for a user for a slot in the future."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from scheduler.domain.quota import Requirements


class ReservationStatus(StrEnum):
    """The state of a reservation; all but the first are final."""

    RESERVED = "RESERVED"
    STARTED = "STARTED"
    """An allocation with the id of the reservation exists."""
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class Slot(NamedTuple):
    """A period that includes its start and excludes its end; times in UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """Return how long the slot lasts."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Reservation:
    """A device reserved for a slot; if it is lost, another device is allocated at the start."""

    id: str
    user_id: str
    device_id: str
    slot: Slot
    requirements: Requirements
    status: ReservationStatus
    created_at: datetime
    ended_at: datetime | None = None

    @property
    def allocation_id(self) -> str | None:
        """Return the id of the allocation if the reservation has started."""
        return self.id if self.status is ReservationStatus.STARTED else None


def earliest_gap(busy: Iterable[Slot], slot: Slot) -> datetime:
    """Return when a device is first free for the slot's length, not before the slot's start."""
    start = slot.start
    for taken in sorted(busy):
        if taken.start < start + slot.length and taken.end > start:
            start = taken.end
    return start
