"""Users, devices and who holds what: the state in which a test begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from scheduler.domain.guard import Aggregate, Concern, Mark, MarkKey, Stamp, advanced
from scheduler.domain.model import Allocation, Device, DeviceStatus, Quota, User
from scheduler.domain.state import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW: Final = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
"""The present of every test that passes a clock."""

HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
SECOND: Final = timedelta(seconds=1)
MILLISECOND: Final = timedelta(milliseconds=1)


def user(id_: str = "u1", **fields: Any) -> User:  # noqa: ANN401 - whatever a User has
    """Return a known user with a quota of 10 devices."""
    return User(id_, **{"quota": Quota(10), **fields})


def device(id_: str = "d1", **fields: Any) -> Device:  # noqa: ANN401 - whatever a Device has
    """Return a known device that nobody holds; its name is its id."""
    return Device(id_, **{"name": id_, "cpu_cores": 2, "memory_mb": 4096, **fields})


def held(device_id: str = "d1", by: str = "u1", since: datetime = NOW - 10 * MINUTE) -> Allocation:
    """Return an active allocation, by default ten minutes old."""
    return Allocation(f"allocation-of-{device_id}", by, device_id, since)


def world(*things: User | Device | Allocation, marks: Iterable[Any] = ()) -> Snapshot:
    """Return a consistent snapshot: users and devices of allocations are added where missing.

    Args:
        *things: users, devices, allocations.
        marks: pairs of `mark` and its stamp.
    """
    snapshot = Snapshot(marks=dict(marks))
    for thing in things:
        match thing:
            case User():
                snapshot.users[thing.id] = thing
            case Device():
                snapshot.devices[thing.id] = thing
            case Allocation():
                snapshot.allocations[thing.id] = thing
    for allocation in snapshot.allocations.values():
        snapshot.users.setdefault(allocation.user_id, user(allocation.user_id))
        held_one = snapshot.devices.get(allocation.device_id, device(allocation.device_id))
        snapshot.devices[held_one.id] = held_one._replace(status=DeviceStatus.ALLOCATED)
    return snapshot


def mark(
    concern: Concern, at: datetime, version: int | None = None, id_: str | None = None
) -> tuple[MarkKey, Mark]:
    """Return what the guard remembers of a concern; of ``u1`` or ``d1`` unless told."""
    by_device = concern in {Concern.HEALTH, Concern.CREATION}
    aggregate = Aggregate.DEVICE if by_device else Aggregate.USER
    key = MarkKey(aggregate, id_ or ("d1" if by_device else "u1"), concern)
    return key, advanced(Stamp(at, version), None)
