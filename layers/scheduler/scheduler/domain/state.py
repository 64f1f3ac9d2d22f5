"""The state of a unit of work: a snapshot of the database with the changes made so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scheduler.domain.guard import (
    Aggregate,
    Concern,
    Mark,
    MarkKey,
    Stamp,
    advanced,
    is_outdated,
    latest,
)
from scheduler.domain.model import (
    Allocation,
    Device,
    DeviceStatus,
    EarlyReport,
    Health,
    Quota,
    User,
    UserStatus,
    is_canary,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows that a unit of work has loaded."""

    users: dict[str, User] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    allocations: dict[str, Allocation] = field(default_factory=dict)
    marks: dict[MarkKey, Mark] = field(default_factory=dict)
    early_reports: dict[str, EarlyReport] = field(default_factory=dict)


_ABSENT: Final = object()


class State:
    """Users, devices, active allocations and marks, and which of them were changed.

    Changes since the last `savepoint` can be undone.
    """

    def __init__(self, snapshot: Snapshot, now: datetime, default_quota: Quota) -> None:
        self.now = now
        self.users = dict(snapshot.users)
        self.devices = dict(snapshot.devices)
        self.marks = dict(snapshot.marks)
        self.early_reports = dict(snapshot.early_reports)
        self.changed_users: dict[str, None] = {}
        self.changed_devices: dict[str, None] = {}
        self.changed_marks: dict[MarkKey, None] = {}
        self.changed_reports: dict[str, None] = {}
        self.erased_users: dict[str, None] = {}
        self._default_quota = default_quota
        self._by_user: dict[str, dict[str, Allocation]] = {}
        self._by_device: dict[str, dict[str, Allocation]] = {}
        self._ended: dict[str, None] = {}
        self._index(snapshot.allocations.values())
        self._undo_log: list[tuple[dict[Any, Any], Hashable, object]] = []

    def merge(self, more: Snapshot) -> None:
        """Add rows that were locked later.

        Rows loaded before keep their changes, and allocations that this work has ended stay ended.
        """
        self.users = {**more.users, **self.users}
        self.devices = {**more.devices, **self.devices}
        self._index(one for one in more.allocations.values() if one.id not in self._ended)

    def user(self, user_id: str) -> User:
        """Return the user; an unknown user has the defaults."""
        return self.users.get(user_id) or User(user_id, self._default_quota, known=False)

    def device(self, device_id: str) -> Device:
        """Return the device; an unknown device has the defaults."""
        return self.devices.get(device_id) or Device(device_id, name=device_id, known=False)

    def active_allocations(
        self, *, user: str | None = None, device: str | None = None
    ) -> list[Allocation]:
        """Return the active allocations of a user or a device, oldest first.

        Args:
            user: the user's id; None to search by device.
            device: the device's id; None to search by user.
        """
        found: Iterable[Allocation] = ()
        if user is not None:
            found = self._by_user.get(user, {}).values()
        elif device is not None:
            found = self._by_device.get(device, {}).values()
        return sorted(found, key=lambda allocation: (allocation.allocated_at, allocation.id))

    def changed_free_devices(self) -> list[Device]:
        """Return the changed devices that are now available and running."""
        changed = (self.devices[id_] for id_ in self.changed_devices)
        return [
            device
            for device in changed
            if device.status is DeviceStatus.AVAILABLE and device.health is Health.RUNNING
        ]

    def changed_blocked_users(self) -> list[str]:
        """Return the changed users who may not hold devices now."""
        changed = (self.users[id_] for id_ in self.changed_users)
        return [user.id for user in changed if user.blocked]

    def changed_ended_users(self) -> list[str]:
        """Return the changed users who are suspended or deleted now; a billing hold may end."""
        changed = (self.users[id_] for id_ in self.changed_users)
        return [user.id for user in changed if user.status is not UserStatus.ACTIVE]

    def is_outdated(self, concern: Concern, aggregate: Aggregate, id_: str, stamp: Stamp) -> bool:
        """Return whether a newer event about this concern was already applied.

        The versions of a deleted device are ignored: a recreated one may count from 1 again.
        """
        mark = self.marks.get(MarkKey(aggregate, id_, concern))
        if aggregate is Aggregate.DEVICE and self.device(id_).health is Health.DELETED:
            stamp = stamp._replace(version=None)
        return is_outdated(stamp, mark)

    def is_held_newer(self, device_id: str, stamp: Stamp) -> bool:
        """Return whether the brake holds a report of a later time, which sets no mark.

        It must keep an older one from bringing the device back into the pool, but not make others
        outdated: a copy of the held message that was received earlier would then be ignored, and
        the held one as a duplicate of it.
        """
        held = self.early_reports.get(device_id)
        if held is None or self.device(device_id).health is Health.DELETED:
            return False
        mark = self.marks.get(MarkKey(Aggregate.DEVICE, device_id, Concern.HEALTH))
        if is_outdated(held.stamp, advanced(stamp, mark)):  # its version is not newer
            return False
        return latest(stamp.occurred_at) < held.stamp.occurred_at

    def savepoint(self) -> None:
        """Set the point that `undo` returns to."""
        self._undo_log.clear()

    def undo(self) -> None:
        """Undo every change since the last `savepoint`."""
        while self._undo_log:
            mapping, key, before = self._undo_log.pop()
            if before is _ABSENT:
                del mapping[key]
            else:
                mapping[key] = before

    def _activate(self, allocation: Allocation) -> None:
        self._set(self._by_user.setdefault(allocation.user_id, {}), allocation.id, allocation)
        self._set(self._by_device.setdefault(allocation.device_id, {}), allocation.id, allocation)

    def _deactivate(self, allocation: Allocation) -> None:
        self._set(self._ended, allocation.id, None)
        self._remove(self._by_user[allocation.user_id], allocation.id)
        self._remove(self._by_device[allocation.device_id], allocation.id)

    def _put_user(self, user: User) -> None:
        self._set(self.users, user.id, user)
        self._set(self.changed_users, user.id, None)

    def _put_device(self, device: Device) -> None:
        if is_canary(device.id) and device.health is Health.RUNNING:
            device = device._replace(health=Health.UNKNOWN)
        self._set(self.devices, device.id, device)
        self._set(self.changed_devices, device.id, None)

    def _set(self, mapping: dict[Any, Any], key: Hashable, value: object) -> None:
        self._undo_log.append((mapping, key, mapping.get(key, _ABSENT)))
        mapping[key] = value

    def _remove(self, mapping: dict[Any, Any], key: Hashable) -> None:
        self._undo_log.append((mapping, key, mapping.pop(key)))

    def _index(self, allocations: Iterable[Allocation]) -> None:
        for allocation in allocations:
            self._by_user.setdefault(allocation.user_id, {})[allocation.id] = allocation
            self._by_device.setdefault(allocation.device_id, {})[allocation.id] = allocation
