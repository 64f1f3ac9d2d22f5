"""Compares a user's quota with what they hold: room for another device, and surplus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.notices import NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.domain.model import Allocation, Device
    from scheduler.domain.work import Work

UNLIMITED: Final = 4_294_967_295
"""The largest number of cores or MB that a column can hold (INT UNSIGNED)."""


class Requirements(NamedTuple):
    """The minimum size of a device; memory in MB, 0 means any size."""

    cpu_cores: int = 0
    memory_mb: int = 0


class Headroom(NamedTuple):
    """The maximum size of the next device; memory in MB."""

    cpu_cores: int = UNLIMITED
    memory_mb: int = UNLIMITED


NO_LIMIT: Final = Headroom()


def min_size(required: int, limit: int) -> int:
    """Return the minimum size of a device, in cores or MB.

    A device of unknown size (0) is suitable only without a required size and without a quota.
    """
    return max(required, 0 if limit == UNLIMITED else 1)


def fits(device: Device, requirements: Requirements, limit: Headroom) -> bool:
    """Return whether a device meets the requirements within the headroom."""
    return (
        min_size(requirements.cpu_cores, limit.cpu_cores) <= device.cpu_cores <= limit.cpu_cores
        and min_size(requirements.memory_mb, limit.memory_mb) <= device.memory_mb <= limit.memory_mb
    )


def headroom(work: Work, user_id: str, requirements: Requirements) -> Headroom:
    """Return how large another device of the user may be.

    Raises:
        RefusedError: the quota allows no further device, or none that meets the requirements.
    """
    quota = work.user(user_id).quota
    held = [work.device(one.device_id) for one in work.active_allocations(user=user_id)]
    _remaining("devices", quota.max_devices, len(held), 1)
    cpu = _remaining("cpu", quota.max_cpu, sum(d.cpu_cores for d in held), requirements.cpu_cores)
    memory = _remaining(
        "memory", quota.max_memory_mb, sum(d.memory_mb for d in held), requirements.memory_mb
    )
    return Headroom(cpu, memory)


def surplus_allocations(
    work: Work,
    user_id: str,
    limit: int,
    usage: Callable[[Device], int] = lambda _: 1,
) -> Iterator[Allocation]:
    """Yield the user's oldest allocations until releasing them brings the usage within a limit.

    Allocations of devices with a usage of 0 are skipped: releasing them would not help.

    Args:
        work: has loaded what the user holds.
        user_id: the user.
        limit: the allowed usage.
        usage: the usage of a device; by default 1, which counts devices.
    """
    held = work.active_allocations(user=user_id)
    used = sum(usage(work.device(allocation.device_id)) for allocation in held)
    for allocation in held:
        if used <= limit:
            return
        if size := usage(work.device(allocation.device_id)):
            used -= size
            yield allocation


def release_surplus_devices(work: Work, user_id: str, max_devices: int) -> int:
    """Release the user's oldest devices above a new quota, notify the user, and return how many.

    Args:
        work: has loaded what the user holds.
        user_id: the user.
        max_devices: the new quota.
    """
    surplus = list(surplus_allocations(work, user_id, max_devices))
    for allocation in surplus:
        work.release(allocation, ReleaseReason.quota_updated(max_devices))
    if surplus:
        work.notify(
            user_id, NoticeKind.QUOTA_UPDATED, max_devices=max_devices, released=len(surplus)
        )
    return len(surplus)


def _remaining(quota: str, limit: int | None, used: int, requested: int) -> int:
    remaining = UNLIMITED if limit is None else limit - used
    if remaining < requested:
        details = {"quota": quota, "limit": limit, "used": used, "requested": requested}
        raise RefusedError(Refusal.QUOTA_EXCEEDED, details)
    return min(remaining, UNLIMITED)
