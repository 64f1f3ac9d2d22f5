"""The work of one batch: the state that rules read, and the changes they record in it.

A rule sees what the rules before it did. Nothing here does I/O; the pipeline loads the
snapshot and commits the changes in one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduler.domain.changes import Grant, Release
from scheduler.domain.guard import Aggregate, Concern, Guard, MarkKey, Stamp, advanced
from scheduler.domain.model import Allocation, Device, DeviceStatus, Health, Quota, UserStatus
from scheduler.domain.notices import Notice, NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from scheduler.domain.state import Snapshot


class Work(State):
    """Snapshot and recorded changes of one batch.

    ``actor`` names who asked for them, e.g. ``user:u1``; empty where messages or a schedule did.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        now: datetime,
        default_quota: Quota,
        payment_failures: Mapping[str, int] | None = None,
        actor: str = "",
    ) -> None:
        super().__init__(snapshot, now, default_quota)
        self.grants: dict[str, Grant] = {}
        self.extensions: dict[str, Grant] = {}
        self.releases: dict[str, Release] = {}
        self.notices: dict[str, Notice] = {}
        self.remarks: list[str] = []
        self._payment_failures = payment_failures or {}
        self._actor = actor
        self._message = ""

    def payment_failures(self) -> int:
        """Return how many payments of the current message's user failed, this one included."""
        return self._payment_failures[self._message]

    def begin(self, message_key: str) -> None:
        """Start the changes of one message; ``message_key`` is unique over all queues."""
        self._message = message_key
        self.savepoint()
        self.remarks = []

    @property
    def actor(self) -> str:
        """Return who or which message changes things now; empty for a schedule."""
        return self._actor or (f"event:{self._message}" if self._message else "")

    def ensure_exists(self, aggregate: Aggregate, id_: str) -> None:
        """Create the user or device with defaults if it is unknown."""
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
        actor: str | None = None,
    ) -> None:
        """Give a free device (its row is locked) to a user, who is told.

        ``actor`` is who allocated it, if not the actor of the work.
        """
        allocation = Allocation(allocation_id, user_id, device.id, self.now)
        actor = self.actor if actor is None else actor
        self._set(self.grants, allocation.id, Grant(allocation, until, actor))
        self._hold(allocation)
        self._put_device(device._replace(status=DeviceStatus.ALLOCATED))
        self._tell(
            user_id,
            NoticeKind.ALLOCATION_SUCCESS,
            f"allocation_success:{allocation.id}",
            {"allocation": allocation, "device": device.name, "expires_at": until},
        )

    def extend(self, allocation: Allocation, until: datetime) -> None:
        """Let an active allocation last longer."""
        self._set(self.extensions, allocation.id, Grant(allocation, until, self.actor))

    def release(self, allocation: Allocation, reason: ReleaseReason) -> None:
        """End an allocation: the device is free, its user is told (unless he is deleted)."""
        release = self._end(allocation, reason)
        self._tell_of_end(release, NoticeKind.DEVICE_RELEASED, reason=reason)

    def expire(self, allocation: Allocation) -> None:
        """End an allocation whose time is over; its user is told."""
        release = self._end(allocation, ReleaseReason.allocation_expired(), expired=True)
        self._tell_of_end(release, NoticeKind.ALLOCATION_EXPIRED)

    def warn_of_expiry(self, allocation: Allocation, expires_at: datetime) -> None:
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
        self._put_user(self.user(user_id)._replace(status=status))

    def set_billing_hold(self, user_id: str, *, hold: bool) -> None:
        """Stop a user from allocating, or let him again, because of money."""
        self._put_user(self.user(user_id)._replace(billing_hold=hold))

    def set_quota(self, user_id: str, quota: Quota) -> None:
        """Store what a user may hold."""
        self._put_user(self.user(user_id)._replace(quota=quota))

    def erase_user(self, user_id: str) -> None:
        """Forget e-mail address and phone number and whatever was not yet sent to the user."""
        self._put_user(self.user(user_id))
        self._set(self.erased_users, user_id, None)

    def set_device_health(self, device_id: str, health: Health) -> None:
        """Record whether a device works."""
        self._put_device(self.device(device_id)._replace(health=health))

    def correct_device_status(self, device_id: str) -> bool:
        """Let a device's status say whether somebody holds it; return whether it did not."""
        device, held = self.device(device_id), bool(self._by_device.get(device_id))
        status = DeviceStatus.ALLOCATED if held else DeviceStatus.AVAILABLE
        if device.status is status:
            return False
        self._put_device(device._replace(status=status))
        return True

    def forget_device_versions(self, device_id: str) -> None:
        """Forget the versions of a device's marks: it is created again after its deletion."""
        for concern in (Concern.HEALTH, Concern.CREATION):
            key = MarkKey(Aggregate.DEVICE, device_id, concern)
            if key in self.marks:
                self._set(self.marks, key, self.marks[key]._replace(version=None))

    def update_device(self, device: Device) -> None:
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

    def _end(
        self, allocation: Allocation, reason: ReleaseReason, *, expired: bool = False
    ) -> Release:
        used = max(0, int((self.now - allocation.allocated_at).total_seconds()))
        release = Release(allocation, reason, self.now, used, expired, self.actor)
        self._set(self.releases, allocation.id, release)
        self._let_go(allocation)
        device = self.device(allocation.device_id)
        self._put_device(device._replace(status=DeviceStatus.AVAILABLE))
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
