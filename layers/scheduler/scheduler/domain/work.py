"""The work of one transaction: the state that rules read, and the changes they record.

A rule sees the changes of the rules before it. Nothing here does I/O: the unit of work loads the
snapshot and commits the changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduler.domain.changes import Grant, Release
from scheduler.domain.guard import Aggregate, Concern, Mark, MarkKey, Stamp, advanced, is_outdated
from scheduler.domain.model import (
    Allocation,
    Device,
    DeviceStatus,
    EarlyReport,
    Health,
    Quota,
    UserStatus,
)
from scheduler.domain.notices import Notice, NoticeKind, dedupe_key
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.state import State
from scheduler.domain.trace import NO_TRACE, TraceContext

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from scheduler.domain.state import Snapshot


class Work(State):
    """A snapshot and the changes recorded in it.

    Args:
        snapshot: the loaded rows.
        now: the time of the changes.
        default_quota: the quota of users without a row.
        payment_failures: by message key: for a failed payment, how many payments of its user have
            failed; for a successful one, how many have failed after it. None if failures are not
            counted.
        actor: who requested the changes, such as ``user:u1``; empty for messages and schedules.
        notified: keys of notifications that exist, of events whose ids are used again.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        now: datetime,
        default_quota: Quota,
        payment_failures: Mapping[str, int] | None = None,
        actor: str = "",
        notified: Collection[str] = (),
    ) -> None:
        super().__init__(snapshot, now, default_quota)
        self.grants: dict[str, Grant] = {}
        self.extensions: dict[str, Grant] = {}
        self.releases: dict[str, Release] = {}
        self.notices: dict[str, Notice] = {}
        self.remarks: list[str] = []
        self._payment_failures = payment_failures
        self._actor, self._notified = actor, notified
        self._message, self._trace = "", NO_TRACE

    def payment_failures(self) -> int:
        """Return how many payments of the message's user have failed, including this one."""
        return (self._payment_failures or {})[self._message]

    def later_payment_failures(self) -> int | None:
        """Return how many payments of its user have failed after the current message's.

        None if the count was not reset, because a later payment is applied first; 0 if failures are
        not counted.
        """
        if self._payment_failures is None:
            return 0
        return self._payment_failures.get(self._message)

    def begin(self, message_key: str, trace: TraceContext = NO_TRACE) -> None:
        """Start the changes of one message; `undo` undoes them.

        Args:
            message_key: unique over all queues. Scheduled jobs use an id of what they change.
            trace: of the message.
        """
        self._message, self._trace = message_key, trace
        self.savepoint()
        self.remarks = []

    @property
    def actor(self) -> str:
        """Return who makes the current changes: ``user:<id>``, ``event:<message key>`` or empty."""
        return self._actor or (f"event:{self._message}" if self._message else "")

    def ensure_exists(self, aggregate: Aggregate, id_: str) -> None:
        """Create a row with defaults for an unknown user or device."""
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
        """Allocate a free device, whose row is locked, to a user and notify them.

        ``actor`` replaces the actor of the work in the allocation's history.
        """
        allocation = Allocation(allocation_id, user_id, device.id, self.now)
        actor = self.actor if actor is None else actor
        self._set(self.grants, allocation.id, Grant(allocation, until, actor, self._trace))
        self._activate(allocation)
        self._put_device(device._replace(status=DeviceStatus.ALLOCATED))
        self._notify(
            user_id,
            NoticeKind.ALLOCATION_SUCCESS,
            allocation.id,
            {"allocation": allocation, "device": device.name, "expires_at": until},
        )

    def extend(self, allocation: Allocation, until: datetime) -> None:
        """Extend an active allocation."""
        self._set(self.extensions, allocation.id, Grant(allocation, until, self.actor, self._trace))

    def release(self, allocation: Allocation, reason: ReleaseReason) -> None:
        """End an allocation: free the device and notify the user."""
        release = self._end(allocation, reason)
        self._notify_of_end(release, NoticeKind.DEVICE_RELEASED, reason=reason)

    def expire(self, allocation: Allocation) -> None:
        """End an expired allocation: free the device and notify the user."""
        release = self._end(allocation, ReleaseReason.allocation_expired(), expired=True)
        self._notify_of_end(release, NoticeKind.ALLOCATION_EXPIRED)

    def warn_of_expiry(self, allocation: Allocation, expires_at: datetime) -> None:
        """Warn a user that an allocation ends soon, once for each expiry time."""
        self._notify(
            allocation.user_id,
            NoticeKind.ALLOCATION_EXPIRING_SOON,
            f"{allocation.id}:{expires_at:%Y-%m-%dT%H:%M:%S.%f}",
            {
                "allocation": allocation,
                "device": self.device(allocation.device_id).name,
                "expires_at": expires_at,
            },
        )

    def release_all(self, user_id: str, reason: ReleaseReason) -> int:
        """Release all allocations of a user, and return how many."""
        allocations = self.active_allocations(user=user_id)
        for allocation in allocations:
            self.release(allocation, reason)
        return len(allocations)

    def set_user_status(self, user_id: str, status: UserStatus) -> None:
        """Suspend, activate or delete a user."""
        self._put_user(self.user(user_id)._replace(status=status))

    def set_billing_hold(self, user_id: str, *, hold: bool, in_debt: bool = True) -> None:
        """Set or clear the billing hold, which keeps a user from holding devices.

        ``in_debt`` tells whether it stays while the account is in debt.
        """
        user = self.user(user_id)._replace(billing_hold=hold, hold_in_debt=in_debt)
        self._put_user(user._replace(stopped_at=self.now) if hold else user)

    def note_payment_in_debt(self, user_id: str, at: datetime) -> None:
        """Note a payment that left a debt, so that failures counted meanwhile are counted again."""
        user = self.user(user_id)
        self._put_user(user._replace(paid_in_debt_at=max(at, user.paid_in_debt_at or at)))

    def set_quota(self, user_id: str, quota: Quota) -> None:
        """Replace the quota of a user."""
        self._put_user(self.user(user_id)._replace(quota=quota))

    def erase_user(self, user_id: str) -> None:
        """Begin to erase what is stored about a user (`scheduler.database.erasures`)."""
        self._put_user(self.user(user_id))
        self._set(self.erased_users, user_id, None)

    def set_device_health(self, device_id: str, health: Health) -> None:
        """Set the health of a device."""
        self._put_device(self.device(device_id)._replace(health=health))

    def correct_device_status(self, device_id: str) -> bool:
        """Make a device's status match its allocations, and return whether it changed."""
        device, held = self.device(device_id), bool(self._by_device.get(device_id))
        status = DeviceStatus.ALLOCATED if held else DeviceStatus.AVAILABLE
        if device.status is status:
            return False
        self._put_device(device._replace(status=status))
        return True

    def forget_device_versions(self, device_id: str) -> None:
        """Forget the versions of a device's marks, because a recreated device counts anew."""
        for concern in (Concern.HEALTH, Concern.CREATION):
            key = MarkKey(Aggregate.DEVICE, device_id, concern)
            if key in self.marks:
                self._set(self.marks, key, self.marks[key].without_version())

    def note_early_report(self, device_id: str, report: EarlyReport) -> None:
        """Note a report that does not count yet, unless one of a later time was noted.

        Versions are not compared, because the noted one may be of a former life of the device.
        """
        noted = self.early_reports.get(device_id)
        if noted == report:
            return
        time = Stamp(report.stamp.occurred_at)
        if noted is None or not is_outdated(time, Mark(noted.stamp.occurred_at)):
            self._set(self.early_reports, device_id, report)
            self._set(self.changed_reports, device_id, None)

    def keep_newer_report(self, device_id: str, deleted: Stamp) -> None:
        """Make a report that is newer than a deletion an early one, before the device is deleted.

        The mark goes back to the deletion, so that a creation in between is not outdated.
        """
        key = MarkKey(Aggregate.DEVICE, device_id, Concern.HEALTH)
        mark, health = self.marks.get(key), self.device(device_id).health
        if mark is None or health is Health.DELETED:
            return
        if is_outdated(deleted._replace(version=None), mark):
            self.note_early_report(device_id, EarlyReport(health, Stamp(mark.occurred_at)))
            self._set(self.marks, key, advanced(deleted, None))

    def early_report(self, device_id: str, created: Stamp) -> EarlyReport | None:
        """Return the report about a deleted device that is newer than its creation, if any.

        One of an older time is of a former life of the device, even if its version is higher.
        """
        report = self.early_reports.get(device_id)
        if report is None or not is_outdated(created, advanced(report.stamp, None)):
            return None
        if is_outdated(Stamp(report.stamp.occurred_at), Mark(created.occurred_at)):
            return None
        before = self.is_outdated(Concern.HEALTH, Aggregate.DEVICE, device_id, report.stamp)
        return None if before else report

    def update_device(self, device: Device) -> None:
        """Replace the name and the size of a device, and count it as changed."""
        self._put_device(device)

    def notify(self, user_id: str, kind: NoticeKind, **params: object) -> None:
        """Notify a user, once per message and kind."""
        self._notify(user_id, kind, self._message, params)

    def remark(self, sentence: str) -> None:
        """Add a sentence to the log line of the current message."""
        self.remarks.append(sentence)

    def advance(
        self, concerns: Iterable[Concern], aggregate: Aggregate, id_: str, stamp: Stamp
    ) -> None:
        """Advance the marks of these concerns."""
        for concern in concerns:
            key = MarkKey(aggregate, id_, concern)
            self._set(self.marks, key, advanced(stamp, self.marks.get(key)))
            self._set(self.changed_marks, key, None)

    def _end(
        self, allocation: Allocation, reason: ReleaseReason, *, expired: bool = False
    ) -> Release:
        # The clock of the environment that allocated the device may be ahead of ours.
        ended_at = max(self.now, allocation.allocated_at)
        used = int((ended_at - allocation.allocated_at).total_seconds())
        release = Release(allocation, reason, ended_at, used, expired, self.actor, self._trace)
        self._set(self.releases, allocation.id, release)
        self._deactivate(allocation)
        device = self.device(allocation.device_id)
        self._put_device(device._replace(status=DeviceStatus.AVAILABLE))
        return release

    def _notify_of_end(self, release: Release, kind: NoticeKind, **params: object) -> None:
        allocation = release.allocation
        self._notify(
            allocation.user_id,
            kind,
            allocation.id,
            {
                "allocation": allocation,
                "device": self.device(allocation.device_id).name,
                "used": release.duration_seconds,
                **params,
            },
        )

    def _notify(self, user_id: str, kind: NoticeKind, cause: str, params: dict[str, Any]) -> None:
        if self.user(user_id).status is not UserStatus.DELETED:
            key = dedupe_key(kind, cause)
            key += f":{int(self.now.timestamp())}" * (key in self._notified)
            notice = Notice(user_id, kind, key, params, self._message, self.actor, self._trace)
            self._set(self.notices, key, notice)
