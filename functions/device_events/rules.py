"""The rules of the device events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from device_events.contracts import (
    DeviceCreated,
    DeviceDeleted,
    DeviceFailed,
    DeviceMaintenance,
    DeviceStatusChanged,
    health_of,
)
from scheduler.domain.guard import Aggregate, Concern, Mark, Stamp, is_outdated
from scheduler.domain.model import CANARY_PREFIX, Health, canary_allocation, is_canary
from scheduler.domain.reasons import ReleaseReason
from scheduler.ids import is_uuid
from scheduler.pipeline.event_rules import EventRules

if TYPE_CHECKING:
    from scheduler.domain.model import Allocation, Device
    from scheduler.domain.work import Work

events = EventRules()

_CANARY_HELD_FOR: Final = timedelta(days=1)


@events.on(DeviceFailed)
def release_failed_device(event: DeviceFailed, work: Work) -> None:
    """Mark the device as failed and release it."""
    work.set_device_health(event.device_id, event.reports)
    for allocation in work.active_allocations(device=event.device_id):
        _release(work, allocation, ReleaseReason.device_failed(event.reason), "failure")


@events.on(DeviceDeleted)
def release_deleted_device(event: DeviceDeleted, work: Work) -> None:
    """Mark the device as deleted and release it, even if it was allocated after the deletion."""
    work.keep_newer_report(event.device_id, event.stamp)
    work.set_device_health(event.device_id, Health.DELETED)
    for allocation in work.active_allocations(device=event.device_id):
        _release(work, allocation, ReleaseReason.device_deleted(), "deletion")


@events.on(DeviceStatusChanged)
def follow_device_status(event: DeviceStatusChanged, work: Work) -> None:
    """Store the new state, and release a running device that stopped or is in error.

    Failure and maintenance have their own events, with better reasons. A device in any other
    state leaves the pool when its holder releases it.
    """
    work.set_device_health(event.device_id, event.reports)
    if not event.releases:
        return
    for allocation in work.active_allocations(device=event.device_id):
        reason = ReleaseReason.device_status_changed(event.old_status, event.new_status)
        _release(work, allocation, reason, "status change")


@events.on(DeviceMaintenance)
def release_device_in_maintenance(event: DeviceMaintenance, work: Work) -> None:
    """Mark the device as in maintenance and release it."""
    work.set_device_health(event.device_id, event.reports)
    reason = ReleaseReason.device_maintenance(event.maintenance_type, event.estimated_duration)
    for allocation in work.active_allocations(device=event.device_id):
        _release(work, allocation, reason, "maintenance")


def complete_device(event: DeviceCreated, work: Work) -> None:
    """Fill in what newer creations left unknown of a device's name and size."""
    known = work.device(event.device_id)
    completed = _completed(known, event)
    if completed != known:
        work.update_device(completed)


@events.on(DeviceCreated, if_outdated=complete_device)
def add_device(event: DeviceCreated, work: Work) -> None:
    """Store the device's description, and make it available unless its state is newer."""
    known = work.device(event.device_id)
    edited = known.edited_at and Mark(known.edited_at)
    is_older = edited and is_outdated(Stamp(event.occurred_at), edited)
    work.update_device(_completed(known, event) if is_older else _described(known, event))
    id_, stamp = event.device_id, event.stamp
    is_outdated_health = work.is_outdated(Concern.HEALTH, Aggregate.DEVICE, id_, stamp)
    if not is_outdated_health and not work.is_held_newer(id_, stamp):
        health = health_of(event.status) if event.status else Health.RUNNING
        if known.health is Health.DELETED:
            health = _revive(event, work, health)
        work.set_device_health(event.device_id, health)
        if is_canary(event.device_id):
            _hand_out_canary(work, event.device_id)
    health = work.device(event.device_id).health
    where = "joined the pool" if health is Health.RUNNING else f"waits outside the pool ({health})"
    work.remark(f"Device {event.device_id} {where}")


def _described(known: Device, event: DeviceCreated) -> Device:
    """Return the device as the event describes it; what the event lacks stays."""
    return known._replace(
        name=event.name or known.name,
        cpu_cores=event.cpu_cores or known.cpu_cores,
        memory_mb=event.memory_mb or known.memory_mb,
        storage_mb=event.storage_mb or known.storage_mb,
        adb_host=event.adb_host or known.adb_host,
        adb_port=event.adb_port or known.adb_port,
    )


def _completed(known: Device, event: DeviceCreated) -> Device:
    """Return the device with what is unknown of its name and size filled in by an older event.

    Not its address: that may be of a former life, and belong to another device by now.
    """
    return known._replace(
        name=known.name if known.name != known.id else event.name or known.id,
        cpu_cores=known.cpu_cores or event.cpu_cores or 0,
        memory_mb=known.memory_mb or event.memory_mb or 0,
        storage_mb=known.storage_mb or event.storage_mb or 0,
    )


def _revive(event: DeviceCreated, work: Work, health: Health) -> Health:
    """Begin a new life of a deleted device; return its health, which may be reported already."""
    later = work.early_report(event.device_id, event.stamp)
    work.forget_device_versions(event.device_id)
    if later is None:
        return health
    work.advance((Concern.HEALTH,), Aggregate.DEVICE, event.device_id, later.stamp)
    return later.health


def _hand_out_canary(work: Work, device_id: str) -> None:
    """Allocate a canary to its user, who is created with it."""
    is_of_a_run = is_uuid(device_id.removeprefix(CANARY_PREFIX))
    if is_of_a_run and not work.active_allocations(device=device_id):
        work.ensure_exists(Aggregate.USER, device_id)
        until = work.now + _CANARY_HELD_FOR
        work.allocate(canary_allocation(device_id), device_id, work.device(device_id), until)


def _release(work: Work, allocation: Allocation, reason: ReleaseReason, cause: str) -> None:
    work.release(allocation, reason)
    work.remark(
        f"Auto-released allocation {allocation.id} due to device {cause}"
        f" (user {allocation.user_id})"
    )
