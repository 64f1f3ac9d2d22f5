"""The rules of the user events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.domain.model import Quota, UserStatus
from scheduler.domain.notices import NoticeKind
from scheduler.domain.quota import release_surplus_devices, surplus_allocations
from scheduler.domain.reasons import ReleaseReason
from scheduler.pipeline.event_rules import EventRules
from user_events.contracts import (
    QuotaType,
    UserActivated,
    UserDeleted,
    UserQuotaExceeded,
    UserQuotaUpdated,
    UserSuspended,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.domain.model import Device
    from scheduler.domain.work import Work

events = EventRules()

_USAGE: dict[QuotaType, Callable[[Device], int]] = {
    QuotaType.DEVICES: lambda _: 1,
    QuotaType.CPU: lambda device: device.cpu_cores,
    QuotaType.MEMORY: lambda device: device.memory_mb,
}


@events.on(UserDeleted)
def remove_user(event: UserDeleted, work: Work) -> None:
    """Release all devices and erase the user's contact data; nobody is notified."""
    work.set_user_status(event.user_id, UserStatus.DELETED)
    work.erase_user(event.user_id)
    released = work.release_all(event.user_id, ReleaseReason.user_deleted())
    work.remark(f"Released {released} allocations of {event.user_id} due to user deletion")


@events.on(UserSuspended)
def suspend_user(event: UserSuspended, work: Work) -> None:
    """Block the user from allocating, and release all of their devices."""
    work.set_user_status(event.user_id, UserStatus.SUSPENDED)
    released = work.release_all(event.user_id, ReleaseReason.user_suspended(event.reason))
    work.notify(event.user_id, NoticeKind.ACCOUNT_SUSPENDED, reason=event.reason, released=released)
    work.remark(
        f"Released {released} allocations, sent {released} notifications"
        f" due to suspension of {event.user_id}"
    )


@events.on(UserActivated)
def activate_user(event: UserActivated, work: Work) -> None:
    """Allow the user to allocate again."""
    work.set_user_status(event.user_id, UserStatus.ACTIVE)


@events.on(UserQuotaUpdated)
def apply_quota(event: UserQuotaUpdated, work: Work) -> None:
    """Store the quota, and release the oldest devices above it."""
    new = event.new_quota
    work.set_quota(event.user_id, Quota(new.max_devices, new.max_cpu, new.max_memory))
    released = release_surplus_devices(work, event.user_id, new.max_devices)
    if released:
        work.remark(f"Released {released} excess devices due to quota reduction of {event.user_id}")


@events.on(UserQuotaExceeded)
def enforce_quota(event: UserQuotaExceeded, work: Work) -> None:
    """Release the oldest devices until what the user holds is within the limit."""
    usage = _USAGE[event.quota_type]
    excess = list(surplus_allocations(work, event.user_id, event.limit, usage))
    for allocation in excess:
        work.release(allocation, ReleaseReason.quota_exceeded())
    if excess:
        work.notify(event.user_id, NoticeKind.QUOTA_EXCEEDED, released=len(excess))
    work.remark(
        f"Released {len(excess)} excess devices of {event.user_id}, who exceeded their quota of"
        f" {event.limit} {event.quota_type}"
    )
