"""Who in line gets which of some free devices. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.allocation.quota import Room, Wish, room_for
from scheduler.allocation.refusal import RefusedError, require_may_allocate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scheduler.allocation.waiting.place import Place
    from scheduler.domain.model import Device
    from scheduler.domain.work import Work

BY_LINE = "line"
"""The cause of an allocation from the line, in its history."""


def assign(
    work: Work, line: Iterable[Place], free: Iterable[Device], reserved: Mapping[str, datetime]
) -> list[Place]:
    """Give free devices to the first in line whom they suit, and return who got one.

    Args:
        work: knows the users in line with all they hold; the devices are locked.
        line: places in their order; those of users that ``work`` does not know are passed over.
        free: nobody holds them, and they run.
        reserved: from when a device is promised to somebody else, by device.
    """
    left = sorted(free, key=lambda device: (device.cpu_cores, device.memory_mb, device.id))
    served = []
    for place in line:
        room = room_of(work, place)
        until = work.now + timedelta(minutes=place.minutes)
        suitable = (
            device
            for device in left
            if room and _fits(device, place.wish, room) and not _taken(device, until, reserved)
        )
        if device := next(suitable, None):
            work.allocate(place.id, place.user_id, device, until, cause=BY_LINE)
            left.remove(device)
            served.append(place)
    return served


def room_of(work: Work, place: Place) -> Room | None:
    """Return how large a device the user may have now; None if none."""
    if place.user_id not in work.users:
        return None
    try:
        require_may_allocate(work.user(place.user_id))
        return room_for(work, place.user_id, place.wish)
    except RefusedError:
        return None


def _fits(device: Device, wish: Wish, room: Room) -> bool:
    return (
        wish.cpu_cores <= device.cpu_cores <= room.cpu_cores
        and wish.memory_mb <= device.memory_mb <= room.memory_mb
    )


def _taken(device: Device, until: datetime, reserved: Mapping[str, datetime]) -> bool:
    return device.id in reserved and reserved[device.id] < until
