"""What a user may hold, against what he really holds. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.allocation.refusal import Refusal, RefusedError
from scheduler.domain.notices import NoticeKind
from scheduler.domain.reasons import ReleaseReason

if TYPE_CHECKING:
    from scheduler.domain.work import Work

UNLIMITED: Final = 4_294_967_295
"""The largest number of cores or MB a device can have in the database."""


class Wish(NamedTuple):
    """The least a device must have; memory in MB, 0 means anything."""

    cpu_cores: int = 0
    memory_mb: int = 0


class Room(NamedTuple):
    """What the next device may have at most; memory in MB."""

    cpu_cores: int = UNLIMITED
    memory_mb: int = UNLIMITED


ANY_ROOM: Final = Room()


def room_for(work: Work, user_id: str, wish: Wish) -> Room:
    """Return how large one more device of the user may be.

    Raises:
        RefusedError: none at all, or none that meets the wish.
    """
    quota = work.user(user_id).quota
    held = [work.device(one.device_id) for one in work.active_allocations(user=user_id)]
    _rest("devices", quota.max_devices, len(held), wish=1)
    cpu = _rest("cpu", quota.max_cpu, sum(d.cpu_cores for d in held), wish.cpu_cores)
    memory = _rest("memory", quota.max_memory_mb, sum(d.memory_mb for d in held), wish.memory_mb)
    return Room(cpu, memory)


def take_back_above(work: Work, user_id: str, max_devices: int) -> int:
    """Release the user's oldest devices above a new quota, tell him, and return how many."""
    held = work.active_allocations(user=user_id)
    surplus = held[: max(0, len(held) - max_devices)]
    for allocation in surplus:
        work.release(allocation, ReleaseReason.quota_updated(max_devices))
    if surplus:
        work.notify(
            user_id, NoticeKind.QUOTA_UPDATED, max_devices=max_devices, released=len(surplus)
        )
    return len(surplus)


def _rest(quota: str, limit: int | None, used: int, wish: int) -> int:
    rest = UNLIMITED if limit is None else limit - used
    if rest < wish:
        details = {"quota": quota, "limit": limit, "used": used, "requested": wish}
        raise RefusedError(Refusal.QUOTA_EXCEEDED, details)
    return min(rest, UNLIMITED)
