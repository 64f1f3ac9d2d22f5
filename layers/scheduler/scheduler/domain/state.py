"""The state that a batch works on: a snapshot of the database, with every change made so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from scheduler.domain.guard import Aggregate, Concern, MarkKey, Stamp, is_outdated
from scheduler.domain.model import Allocation, Device, DeviceStatus, Health, Quota, User

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the database holds about everything the batch speaks of."""

    users: dict[str, User] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    allocations: dict[str, Allocation] = field(default_factory=dict)
    marks: dict[MarkKey, Stamp] = field(default_factory=dict)


_ABSENT: Final = object()


class State:
    """Users, devices, active allocations and marks, and which of them were changed.

    Changes can be taken back until they are kept.
    """

    def __init__(self, snapshot: Snapshot, now: datetime, default_quota: Quota) -> None:
        self.now = now
        self.users = dict(snapshot.users)
        self.devices = dict(snapshot.devices)
        self.marks = dict(snapshot.marks)
        self.changed_users: dict[str, None] = {}
        self.changed_devices: dict[str, None] = {}
        self.changed_marks: dict[MarkKey, None] = {}
        self.erased_users: dict[str, None] = {}
        self._default_quota = default_quota
        self._by_user: dict[str, dict[str, Allocation]] = {}
        self._by_device: dict[str, dict[str, Allocation]] = {}
        self._ended: dict[str, None] = {}
        self._index(snapshot.allocations.values())
        self._undo: list[tuple[dict[Any, Any], Hashable, object]] = []

    def merge(self, more: Snapshot) -> None:
        """Add what was locked later; what is known already, or ended in this work, stays so."""
        self.users = {**more.users, **self.users}
        self.devices = {**more.devices, **self.devices}
        self._index(one for one in more.allocations.values() if one.id not in self._ended)

    def user(self, user_id: str) -> User:
        """Return the user, with defaults if nobody has heard of him."""
        return self.users.get(user_id) or User(user_id, self._default_quota, known=False)

    def device(self, device_id: str) -> Device:
        """Return the device, with defaults if nobody has heard of it."""
        return self.devices.get(device_id) or Device(device_id, name=device_id, known=False)

    def active_allocations(
        self, *, user: str | None = None, device: str | None = None
    ) -> list[Allocation]:
        """Return the active allocations of a user or a device, oldest first.

        Args:
            user: the user's id, or None to look by device.
            device: the device's id, or None to look by user.
        """
        found: Iterable[Allocation] = ()
        if user is not None:
            found = self._by_user.get(user, {}).values()
        elif device is not None:
            found = self._by_device.get(device, {}).values()
        return sorted(found, key=lambda allocation: (allocation.allocated_at, allocation.id))

    def changed_free_devices(self) -> list[Device]:
        """Return the devices that can be allocated after this work."""
        changed = (self.devices[id_] for id_ in self.changed_devices)
        return [
            device
            for device in changed
            if device.status is DeviceStatus.AVAILABLE and device.health is Health.RUNNING
        ]

    def changed_blocked_users(self) -> list[str]:
        """Return the users who may not hold devices after this work."""
        changed = (self.users[id_] for id_ in self.changed_users)
        return [user.id for user in changed if user.blocked]

    def is_outdated(self, concern: Concern, aggregate: Aggregate, id_: str, stamp: Stamp) -> bool:
        """Tell whether something newer about this concern was already applied.

        A deleted device has no versions any more: a later creation may count from 1 again.
        """
        mark = self.marks.get(MarkKey(aggregate, id_, concern))
        if aggregate is Aggregate.DEVICE and self.device(id_).health is Health.DELETED:
            stamp = stamp._replace(version=None)
        return is_outdated(stamp, mark)

    def savepoint(self) -> None:
        """Let the changes so far stand; what comes can be taken back to here."""
        self._undo.clear()

    def undo(self) -> None:
        """Take back every change since the last `savepoint`."""
        while self._undo:
            mapping, key, before = self._undo.pop()
            if before is _ABSENT:
                del mapping[key]
            else:
                mapping[key] = before

    def _hold(self, allocation: Allocation) -> None:
        """Let an allocation be active."""
        self._set(self._by_user.setdefault(allocation.user_id, {}), allocation.id, allocation)
        self._set(self._by_device.setdefault(allocation.device_id, {}), allocation.id, allocation)

    def _let_go(self, allocation: Allocation) -> None:
        """Let an allocation be active no more."""
        self._set(self._ended, allocation.id, None)
        self._drop(self._by_user[allocation.user_id], allocation.id)
        self._drop(self._by_device[allocation.device_id], allocation.id)

    def _put_user(self, user: User) -> None:
        self._set(self.users, user.id, user)
        self._set(self.changed_users, user.id, None)

    def _put_device(self, device: Device) -> None:
        self._set(self.devices, device.id, device)
        self._set(self.changed_devices, device.id, None)

    def _set(self, mapping: dict[Any, Any], key: Hashable, value: object) -> None:
        self._undo.append((mapping, key, mapping.get(key, _ABSENT)))
        mapping[key] = value

    def _drop(self, mapping: dict[Any, Any], key: Hashable) -> None:
        self._undo.append((mapping, key, mapping.pop(key)))

    def _index(self, allocations: Iterable[Allocation]) -> None:
        for allocation in allocations:
            self._by_user.setdefault(allocation.user_id, {})[allocation.id] = allocation
            self._by_device.setdefault(allocation.device_id, {})[allocation.id] = allocation
