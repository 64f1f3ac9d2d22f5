"""What each user event changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.domain.model import Quota, UserStatus
from scheduler.domain.notices import NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.pipeline.rules import EventRules
from user_events.contracts import (
    QuotaType,
    UserActivated,
    UserDeleted,
    UserQuotaExceeded,
    UserQuotaUpdated,
    UserSuspended,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.domain.model import Allocation, Device
    from scheduler.domain.work import Work

events = EventRules()

_USAGE: dict[QuotaType, Callable[[Device], int]] = {
    QuotaType.DEVICES: lambda _: 1,
    QuotaType.CPU: lambda device: device.cpu_cores,
    QuotaType.MEMORY: lambda device: device.memory_mb,
}


@events.on(UserDeleted)
def remove_user(event: UserDeleted, work: Work) -> None:
    """Take everything back and forget the user's address; nobody is left to be told."""
    work.set_user_status(event.user_id, UserStatus.DELETED)
    work.erase_user(event.user_id)
    released = work.release_all(event.user_id, ReleaseReason.user_deleted())
    work.remark(f"Released {released} allocations due to user deletion")


@events.on(UserSuspended)
def suspend_user(event: UserSuspended, work: Work) -> None:
    """Stop the user from allocating and take everything back."""
    work.set_user_status(event.user_id, UserStatus.SUSPENDED)
    released = work.release_all(event.user_id, ReleaseReason.user_suspended(event.reason))
    work.notify(event.user_id, NoticeKind.ACCOUNT_SUSPENDED, reason=event.reason, released=released)
    work.remark(f"Released {released} allocations due to user suspension")


@events.on(UserActivated)
def activate_user(event: UserActivated, work: Work) -> None:
    """Let the user allocate again."""
    work.set_user_status(event.user_id, UserStatus.ACTIVE)


@events.on(UserQuotaUpdated)
def apply_quota(event: UserQuotaUpdated, work: Work) -> None:
    """Store the quota and take back the oldest devices above it."""
    before, new = work.user(event.user_id).quota, event.new_quota
    work.set_quota(event.user_id, Quota(new.max_devices, new.max_cpu, new.max_memory))
    active = len(work.active_allocations(user=event.user_id))
    excess = list(_oldest_above(QuotaType.DEVICES, new.max_devices, event, work))
    for allocation in excess:
        work.release(allocation, ReleaseReason.quota_updated(new.max_devices))
    if excess:
        work.notify(
            event.user_id,
            NoticeKind.QUOTA_UPDATED,
            max_devices=new.max_devices,
            released=len(excess),
        )
    work.remark(
        f"User has {active} devices, quota {_change(before.max_devices, new.max_devices)}"
        f" {new.max_devices}, releasing {len(excess)} oldest devices"
    )


@events.on(UserQuotaExceeded)
def enforce_quota(event: UserQuotaExceeded, work: Work) -> None:
    """Take back the oldest devices until what the user really holds is within the limit."""
    excess = list(_oldest_above(event.quota_type, event.limit, event, work))
    for allocation in excess:
        work.release(allocation, ReleaseReason.quota_exceeded())
    if excess:
        work.notify(event.user_id, NoticeKind.QUOTA_EXCEEDED, released=len(excess))
    work.remark(
        f"User exceeded quota of {event.limit} {event.quota_type},"
        f" releasing {len(excess)} oldest devices"
    )


def _oldest_above(
    quota_type: QuotaType, limit: int, event: UserQuotaUpdated | UserQuotaExceeded, work: Work
) -> Iterator[Allocation]:
    usage = _USAGE[quota_type]
    used = sum(
        usage(work.device(allocation.device_id))
        for allocation in work.active_allocations(user=event.user_id)
    )
    for allocation in work.active_allocations(user=event.user_id, until=event.occurred_at):
        if used <= limit:
            return
        used -= usage(work.device(allocation.device_id))
        yield allocation


def _change(before: int, after: int) -> str:
    return "reduced to" if after < before else "raised to" if after > before else "stays"
