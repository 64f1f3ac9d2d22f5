"""The work of one batch: a snapshot that rules read, and the changes they record in it.

A rule sees what the rules before it did. Nothing here does I/O; the pipeline loads the
snapshot and commits the changes in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from scheduler.domain.guard import Aggregate, Concern, Guard, MarkKey, Stamp, advanced, is_outdated
from scheduler.domain.model import (
    Allocation,
    Device,
    DeviceStatus,
    Health,
    Quota,
    User,
    UserStatus,
)
from scheduler.domain.reasons import ReleaseReason
from scheduler.notification.kinds import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

CLOCK_TOLERANCE: Final = timedelta(seconds=5)
"""Clocks of producers differ; an allocation this much younger than an event still precedes it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the database holds about everything the batch speaks of."""

    users: dict[str, User] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    allocations: dict[str, Allocation] = field(default_factory=dict)
    marks: dict[MarkKey, Stamp] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """An allocation that ended, or was ended. Duration in whole seconds."""

    allocation: Allocation
    reason: ReleaseReason
    released_at: datetime
    duration_seconds: int
    expired: bool = False
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """An allocation that begins, or goes on until a later time."""

    allocation: Allocation
    expires_at: datetime
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a user is told; ``dedupe_key`` makes it unique for ever.

    ``cause`` names the message it comes from, empty for a request.
    """

    user_id: str
    kind: NoticeKind
    dedupe_key: str
    params: dict[str, Any]
    cause: str = ""


_ABSENT: Final = object()


class Work:
    """Snapshot and recorded changes of one batch.

    ``actor`` names who asked for them, e.g. ``user:u1``; empty where messages or a schedule did.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        now: datetime,
        default_quota: Quota,
        payment_failures: dict[str, int] | None = None,
        actor: str = "",
    ) -> None:
        self.now = now
        self._actor = actor
        self.users = dict(snapshot.users)
        self.devices = dict(snapshot.devices)
        self.marks = dict(snapshot.marks)
        self.changed_users: dict[str, None] = {}
        self.changed_devices: dict[str, None] = {}
        self.changed_marks: dict[MarkKey, None] = {}
        self.erased_users: dict[str, None] = {}
        self.grants: dict[str, Grant] = {}
        self.extensions: dict[str, Grant] = {}
        self.releases: dict[str, Release] = {}
        self.notices: dict[str, Notice] = {}
        self.remarks: list[str] = []
        self._default_quota = default_quota
        self._payment_failures = payment_failures or {}
        self._by_user: dict[str, dict[str, Allocation]] = {}
        self._by_device: dict[str, dict[str, Allocation]] = {}
        self._index(snapshot.allocations.values())
        self._message = ""
        self._undo: list[tuple[dict[Any, Any], Hashable, object]] = []

    def adopt(self, more: Snapshot) -> None:
        """Add what was locked later; what is known already, or ended in this work, stays so."""
        self.users = {**more.users, **self.users}
        self.devices = {**more.devices, **self.devices}
        self._index(one for one in more.allocations.values() if one.id not in self.releases)

    # -- reading ---------------------------------------------------------------

    def user(self, user_id: str) -> User:
        """Return the user, with defaults if nobody has heard of him."""
        return self.users.get(user_id) or User(user_id, self._default_quota, known=False)

    def device(self, device_id: str) -> Device:
        """Return the device, with defaults if nobody has heard of it."""
        return self.devices.get(device_id) or Device(device_id, name=device_id, known=False)

    def active_allocations(
        self, *, user: str | None = None, device: str | None = None, until: datetime | None = None
    ) -> list[Allocation]:
        """Return the active allocations of a user or a device, oldest first.

        Args:
            user: the user's id, or None to look by device.
            device: the device's id, or None to look by user.
            until: the time of the event; what was allocated later (beyond the tolerance of
                clocks) belongs to somebody who got the device afterwards and is left out.
        """
        found: Iterable[Allocation] = ()
        if user is not None:
            found = self._by_user.get(user, {}).values()
        elif device is not None:
            found = self._by_device.get(device, {}).values()
        latest = datetime.max.replace(tzinfo=self.now.tzinfo)
        limit = until + CLOCK_TOLERANCE if until else latest
        return sorted(
            (allocation for allocation in found if allocation.allocated_at <= limit),
            key=lambda allocation: (allocation.allocated_at, allocation.id),
        )

    def freed_devices(self) -> list[Device]:
        """Return the devices that can be allocated after this work."""
        changed = (self.devices[id_] for id_ in self.changed_devices)
        return [
            device
            for device in changed
            if device.status is DeviceStatus.AVAILABLE and device.health is Health.RUNNING
        ]

    def blocked_users(self) -> list[str]:
        """Return the users who may not hold devices after this work."""
        changed = (self.users[id_] for id_ in self.changed_users)
        return [user.id for user in changed if user.blocked]

    def payment_failures(self) -> int:
        """Return how many payments of the current message's user failed, this one included."""
        return self._payment_failures[self._message]

    def is_outdated(self, concern: Concern, aggregate: Aggregate, id_: str, stamp: Stamp) -> bool:
        """Tell whether something newer about this concern was already applied."""
        return is_outdated(stamp, self.marks.get(MarkKey(aggregate, id_, concern)))

    @property
    def cause(self) -> str:
        """Return who or which message changes things now; empty for a schedule."""
        return self._actor or (f"event:{self._message}" if self._message else "")

    # -- recording -------------------------------------------------------------

    def meet(self, aggregate: Aggregate, id_: str) -> None:
        """Give a user or device nobody has heard of a row with defaults."""
        if aggregate is Aggregate.USER and id_ not in self.users:
            self._put_user(self.user(id_))
        if aggregate is Aggregate.DEVICE and id_ not in self.devices:
            self._put_device(self.device(id_))

    def allocate(
        self,
        allocation_id: str,
        user_id: str,
        device: Device,
        until: datetime,
        cause: str | None = None,
    ) -> None:
        """Give a free device (its row is locked) to a user, who is told.

        ``cause`` is who gave it if not whoever changes things now: that may be another user.
        """
        allocation = Allocation(allocation_id, user_id, device.id, self.now)
        why = self.cause if cause is None else cause
        self._set(self.grants, allocation.id, Grant(allocation, until, why))
        self._set(self._by_user.setdefault(user_id, {}), allocation.id, allocation)
        self._set(self._by_device.setdefault(device.id, {}), allocation.id, allocation)
        self._put_device(replace(device, status=DeviceStatus.ALLOCATED))
        self._tell(
            user_id,
            NoticeKind.ALLOCATION_SUCCESS,
            f"allocation_success:{allocation.id}",
            {"allocation": allocation, "device": device.name, "expires_at": until},
        )

    def extend(self, allocation: Allocation, until: datetime) -> None:
        """Let an active allocation last longer."""
        self._set(self.extensions, allocation.id, Grant(allocation, until, self.cause))

    def release(self, allocation: Allocation, reason: ReleaseReason) -> None:
        """End an allocation: the device is free, its user is told (unless he is deleted)."""
        release = self._end(allocation, reason)
        self._tell_of_end(release, NoticeKind.DEVICE_RELEASED, reason=reason)

    def expire(self, allocation: Allocation) -> None:
        """End an allocation whose time is over; its user is told."""
        release = self._end(allocation, ReleaseReason.allocation_expired(), expired=True)
        self._tell_of_end(release, NoticeKind.ALLOCATION_EXPIRED)

    def announce_expiry(self, allocation: Allocation, expires_at: datetime) -> None:
        """Tell a user that his time is nearly over, once for each time it may end at."""
        kind = NoticeKind.ALLOCATION_EXPIRING_SOON
        self._tell(
            allocation.user_id,
            kind,
            f"{kind.key}:{allocation.id}:{expires_at:%Y-%m-%dT%H:%M:%S.%f}",
            {
                "allocation": allocation,
                "device": self.device(allocation.device_id).name,
                "expires_at": expires_at,
            },
        )

    def release_all(self, user_id: str, reason: ReleaseReason) -> int:
        """End every allocation of a user and return how many there were."""
        allocations = self.active_allocations(user=user_id)
        for allocation in allocations:
            self.release(allocation, reason)
        return len(allocations)

    def set_user_status(self, user_id: str, status: UserStatus) -> None:
        """Suspend, activate or delete a user."""
        self._put_user(replace(self.user(user_id), status=status))

    def set_billing_hold(self, user_id: str, *, hold: bool) -> None:
        """Stop a user from allocating, or let him again, because of money."""
        self._put_user(replace(self.user(user_id), billing_hold=hold))

    def set_quota(self, user_id: str, quota: Quota) -> None:
        """Store what a user may hold."""
        self._put_user(replace(self.user(user_id), quota=quota))

    def erase_user(self, user_id: str) -> None:
        """Forget e-mail address and phone number and whatever was not yet sent to the user."""
        self._put_user(self.user(user_id))
        self._set(self.erased_users, user_id, None)

    def set_device_health(self, device_id: str, health: Health) -> None:
        """Record whether a device works."""
        self._put_device(replace(self.device(device_id), health=health))

    def correct_status(self, device_id: str) -> bool:
        """Let a device's status say whether somebody holds it; return whether it did not."""
        device, held = self.device(device_id), bool(self._by_device.get(device_id))
        status = DeviceStatus.ALLOCATED if held else DeviceStatus.AVAILABLE
        if device.status is status:
            return False
        self._put_device(replace(device, status=status))
        return True

    def describe_device(self, device: Device) -> None:
        """Record name and size of a device."""
        self._put_device(device)

    def notify(self, user_id: str, kind: NoticeKind, **params: object) -> None:
        """Tell a user something, once per message and kind."""
        self._tell(user_id, kind, f"{kind.key}:{self._message}", params)

    def remark(self, sentence: str) -> None:
        """Say in the log line of the current message what was done."""
        self.remarks.append(sentence)

    def advance(self, guard: Guard, aggregate: Aggregate, id_: str, stamp: Stamp) -> None:
        """Remember the event as the newest of its concerns."""
        for concern in guard.advances:
            key = MarkKey(aggregate, id_, concern)
            self._set(self.marks, key, advanced(stamp, self.marks.get(key)))
            self._set(self.changed_marks, key, None)

    # -- one message at a time -------------------------------------------------

    def begin(self, message_key: str) -> None:
        """Start the changes of one message; ``message_key`` is unique over all queues."""
        self._message = message_key
        self._undo.clear()
        self.remarks = []

    def undo(self) -> None:
        """Take back every change since `begin`, so that a failing rule leaves no trace."""
        while self._undo:
            mapping, key, before = self._undo.pop()
            if before is _ABSENT:
                del mapping[key]
            else:
                mapping[key] = before

    def _index(self, allocations: Iterable[Allocation]) -> None:
        for allocation in allocations:
            self._by_user.setdefault(allocation.user_id, {})[allocation.id] = allocation
            self._by_device.setdefault(allocation.device_id, {})[allocation.id] = allocation

    def _end(
        self, allocation: Allocation, reason: ReleaseReason, *, expired: bool = False
    ) -> Release:
        used = max(0, int((self.now - allocation.allocated_at).total_seconds()))
        release = Release(allocation, reason, self.now, used, expired, self.cause)
        self._set(self.releases, allocation.id, release)
        self._drop(self._by_user[allocation.user_id], allocation.id)
        self._drop(self._by_device[allocation.device_id], allocation.id)
        device = self.device(allocation.device_id)
        self._put_device(replace(device, status=DeviceStatus.AVAILABLE))
        return release

    def _tell_of_end(self, release: Release, kind: NoticeKind, **params: object) -> None:
        allocation = release.allocation
        self._tell(
            allocation.user_id,
            kind,
            f"{kind.key}:{allocation.id}",
            {
                "allocation": allocation,
                "device": self.device(allocation.device_id).name,
                "used": release.duration_seconds,
                **params,
            },
        )

    def _tell(
        self, user_id: str, kind: NoticeKind, dedupe_key: str, params: dict[str, Any]
    ) -> None:
        if self.user(user_id).status is not UserStatus.DELETED:
            notice = Notice(user_id, kind, dedupe_key, params, self._message)
            self._set(self.notices, dedupe_key, notice)

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
