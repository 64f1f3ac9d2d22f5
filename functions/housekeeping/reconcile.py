"""Finds rows that contradict each other, reports them, and corrects them.

A finding is checked again under the locks of its rows before anything is changed, so that a
running transaction is never "repaired". Allocations are the truth: the status of a device follows
from them.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from housekeeping.findings import Finding, report
from housekeeping.search_pass import SearchPass, report_releases
from scheduler.database import findings, load
from scheduler.database.active_allocations import AllocationSearch
from scheduler.domain.brake import BrakeLimits
from scheduler.domain.notices import Channel, NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.outbox.backlog import overdue_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymysql.cursors import Cursor

    from housekeeping.tools import Tools
    from scheduler.database.active_allocations import FoundAllocation
    from scheduler.database.findings import NotificationWithoutDeliveries
    from scheduler.domain.model import Allocation
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics
    from scheduler.unit_of_work import UnitOfWork

_OVERDUE_AFTER: Final = timedelta(minutes=10)
"""A delivery that is due is sent within that time, even if the first dispatcher died."""
_MAX_OVERDUE: Final = 1000
"""More need not be counted to know that nothing is being sent."""
_LOOK_BACK: Final = timedelta(hours=1)
"""Much longer than a minute, so that a pause of housekeeping hides no notification."""

_DEVICE_FINDINGS: Final = {
    Finding.DEVICE_ALLOCATED_TO_NOBODY: findings.devices_allocated_without_holder,
    Finding.HELD_DEVICE_AVAILABLE: findings.held_devices_marked_available,
}
_KINDS: Final = {kind.key: kind for kind in NoticeKind}


def reconcile_users(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Release what blocked users hold; report allocations of users or devices without a row."""
    report(Finding.BLOCKED_USER_HOLDS_DEVICE, (), "", metrics)
    for work in SearchPass(tools, AllocationSearch.of_blocked_users(), _release):
        ids = list(work.releases)
        report(Finding.BLOCKED_USER_HOLDS_DEVICE, ids, "released", metrics)
        report_releases("Released", work, metrics)
        yield len(ids)
    with tools.database.transaction() as cursor:
        unknown = findings.allocations_of_unknown(cursor)
    report(Finding.ALLOCATION_OF_UNKNOWN, unknown, "left for an operator to decide", metrics)


def reconcile_broken_devices(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Release devices that do not work though a user holds them, under the mass-failure brake."""
    report(Finding.BROKEN_DEVICE_HELD, (), "", metrics)
    settings = tools.settings
    limits = BrakeLimits(settings.mass_failure_share, settings.mass_failure_devices)
    search = AllocationSearch.of_broken_devices()
    for work in SearchPass(tools, search, _release_broken, limits):
        ids = list(work.releases)
        report(Finding.BROKEN_DEVICE_HELD, ids, "released", metrics)
        report_releases("Released", work, metrics)
        yield len(ids)


def reconcile_devices(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Correct the status of devices that contradicts their allocations."""
    for finding, find in _DEVICE_FINDINGS.items():
        with tools.database.transaction() as cursor:
            suspects = find(cursor)
        corrected: list[str] = []
        if suspects:
            work = tools.units.run(partial(_correct, device_ids=suspects))
            corrected = list(work.changed_devices)
        report(finding, corrected, "corrected the status", metrics)
        yield len(corrected)


def reconcile_deliveries(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Report deliveries that have been due for ten minutes, and nudge the dispatcher."""
    with tools.database.transaction() as cursor:
        overdue = overdue_deliveries(cursor, tools.clock() - _OVERDUE_AFTER, _MAX_OVERDUE)
    report(Finding.DELIVERY_OVERDUE, overdue, "nudged the dispatcher; is it failing?", metrics)
    if overdue:
        tools.nudge()
    yield len(overdue)


def reconcile_notifications(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Create the deliveries that notifications of the last hour lack, due at once."""
    with tools.database.transaction() as cursor:
        suspects = findings.notifications_without_deliveries(cursor, tools.clock() - _LOOK_BACK)
    completed: list[str] = []
    if suspects:
        completed = tools.database.run(lambda cursor: _complete(cursor, tools, suspects))
    finding = Finding.NOTIFICATION_WITHOUT_DELIVERIES
    report(finding, completed, "created its deliveries, due now", metrics)
    if completed:
        tools.nudge()
    yield len(completed)


def _release(work: Work, allocation: Allocation, _found: FoundAllocation) -> None:
    work.release(allocation, ReleaseReason.account_blocked())


def _release_broken(work: Work, allocation: Allocation, _found: FoundAllocation) -> None:
    health = work.device(allocation.device_id).health
    work.release(allocation, ReleaseReason.device_broken(health))


def _correct(unit: UnitOfWork, device_ids: Sequence[str]) -> Work:
    work = unit.lock(devices=device_ids)
    for id_ in device_ids:
        work.correct_device_status(id_)
    return work


def _complete(
    cursor: Cursor, tools: Tools, suspects: Sequence[NotificationWithoutDeliveries]
) -> list[str]:
    users = load.lock_users_skip_locked(cursor, {one.user_id for one in suspects}).users
    if not users:
        return []
    bare = findings.still_without_deliveries(cursor, suspects, users)
    deliveries = [(one.id, channel) for one in bare for channel in _channels(one.dedupe_key)]
    findings.add_deliveries(cursor, deliveries, tools.clock())
    return [one.id for one in bare]


def _channels(dedupe_key: str) -> Sequence[Channel]:
    """Return the channels of a notification's kind, which its dedupe key begins with."""
    kind = _KINDS.get(dedupe_key.partition(":")[0])
    return kind.channels if kind else (Channel.WEBSOCKET,)
