"""Finds rows that contradict each other, reports them, and corrects them.

A run walks through a bounded number of rows, and the next run continues: its cost does not depend
on the size of the tables.

A finding is checked again under the locks of its rows before anything is changed, so that the
intermediate state of a running transaction is not "corrected". The status of a device is corrected
to match its allocations, never the other way round.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from housekeeping.search_pass import SearchPass, report_releases
from housekeeping.walking import parts
from scheduler.database import findings, load
from scheduler.database.active_allocations import AllocationSearch
from scheduler.database.times import to_sql
from scheduler.domain.brake import BrakeLimits
from scheduler.domain.model import BROKEN
from scheduler.domain.notices import Channel, NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.observability.logger import service_logger
from scheduler.outbox.backlog import overdue_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pymysql.cursors import Cursor

    from housekeeping.tools import Tools
    from scheduler.database.active_allocations import FoundAllocation
    from scheduler.database.findings import NotificationWithoutDeliveries
    from scheduler.domain.model import Allocation
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics
    from scheduler.unit_of_work import UnitOfWork

_OVERDUE_AFTER: Final = timedelta(minutes=10)
"""Due deliveries are sent within this time, even if a dispatcher was killed."""
_MAX_OVERDUE: Final = 1000
"""Maximum number of overdue deliveries to report; this many mean that nothing is being sent."""
_LOOK_BACK: Final = timedelta(hours=1)
"""Much longer than a minute, so that no notification is missed if housekeeping pauses."""

_MAX_LOGGED: Final = 100
"""Maximum number of ids in a log line."""

_logger: Final = service_logger()


class Finding(StrEnum):
    """A contradiction that must not occur; the value is its label in metrics."""

    BLOCKED_USER_HOLDS_DEVICE = "blocked_user_holds_device"
    ALLOCATION_OF_UNKNOWN = "allocation_of_unknown"
    """Its user or its device has no row, which only an operator can correct."""
    BROKEN_DEVICE_HELD = "broken_device_held"
    DEVICE_ALLOCATED_TO_NOBODY = "device_allocated_to_nobody"
    HELD_DEVICE_AVAILABLE = "held_device_available"
    DELIVERY_OVERDUE = "delivery_overdue"
    NOTIFICATION_WITHOUT_DELIVERIES = "notification_without_deliveries"


_DEVICE_FINDINGS: Final = {
    Finding.DEVICE_ALLOCATED_TO_NOBODY: findings.devices_allocated_without_holder,
    Finding.HELD_DEVICE_AVAILABLE: findings.held_devices_marked_available,
}
_KINDS: Final = {kind.key: kind for kind in NoticeKind}


def reconcile_users(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Release the devices of blocked users; report allocations of unknown users or devices."""
    _report(Finding.BLOCKED_USER_HOLDS_DEVICE, (), "", metrics)
    for part in parts(tools, findings.ACTIVE_ALLOCATIONS):
        with tools.database.transaction() as cursor:
            unknown = findings.allocations_of_unknown(cursor, part)
        _report(Finding.ALLOCATION_OF_UNKNOWN, unknown, "left for an operator to decide", metrics)
        for work in SearchPass(tools, AllocationSearch.of_blocked_users(part), _release):
            _report_released(Finding.BLOCKED_USER_HOLDS_DEVICE, work, metrics)
            yield len(work.releases)
        yield 0


def reconcile_broken_devices(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Release broken devices that a user still holds, unless the mass-failure brake holds them."""
    _report(Finding.BROKEN_DEVICE_HELD, (), "", metrics)
    settings = tools.settings
    limits = BrakeLimits(settings.mass_failure_share, settings.mass_failure_devices)
    for part in parts(tools, findings.HELD_DEVICES):
        search = AllocationSearch.of_broken_devices(part)
        for work in SearchPass(tools, search, _release_broken, limits):
            _report_released(Finding.BROKEN_DEVICE_HELD, work, metrics)
            yield len(work.releases)
        yield 0


def reconcile_devices(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Correct the status of devices that contradicts their allocations."""

    def attempt(device_ids: Sequence[str]) -> Work:
        return tools.units.run(partial(_correct, device_ids=device_ids))

    for part in parts(tools, findings.DEVICES):
        for finding, find in _DEVICE_FINDINGS.items():
            with tools.database.transaction() as cursor:
                suspects = find(cursor, part)
            corrected: list[str] = []
            for work in tools.failing.apart(suspects, attempt, str) if suspects else ():
                corrected += work.changed_devices
            _report(finding, corrected, "corrected the status", metrics)
            yield len(corrected)


def reconcile_deliveries(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Report deliveries that have been due for ten minutes, and nudge the dispatcher."""
    with tools.database.transaction() as cursor:
        overdue = overdue_deliveries(cursor, tools.clock() - _OVERDUE_AFTER, _MAX_OVERDUE)
    _report(Finding.DELIVERY_OVERDUE, overdue, "nudged the dispatcher; is it failing?", metrics)
    if overdue:
        tools.nudge()
    yield len(overdue)


def reconcile_notifications(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Create the missing deliveries of notifications of the last hour, due immediately."""
    finding = Finding.NOTIFICATION_WITHOUT_DELIVERIES
    for part in parts(tools, findings.NOTIFICATIONS, to_sql(tools.clock() - _LOOK_BACK)):
        with tools.database.transaction() as cursor:
            suspects = findings.notifications_without_deliveries(cursor, part)
        completed: list[str] = []
        if suspects:
            completed = tools.database.run(partial(_complete, tools=tools, suspects=suspects))
        _report(finding, completed, "created its deliveries, due now", metrics)
        if completed:
            tools.nudge()
        yield len(completed)


def _report_released(finding: Finding, work: Work, metrics: Metrics) -> None:
    allocations = [release.allocation for release in work.releases.values()]
    concerned = {
        "user_ids": [one.user_id for one in allocations],
        "device_ids": [one.device_id for one in allocations],
    }
    _report(finding, list(work.releases), "released", metrics, concerned)
    report_releases("Released", work, metrics)


def _report(
    finding: Finding,
    ids: Sequence[object],
    remedy: str,
    metrics: Metrics,
    concerned: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Count findings, even if there are none, and log their ids and what was done about them.

    ``concerned`` has further ids of the findings, in the same order, by the field of the line.
    """
    metrics.add("scheduler_reconciler_findings_total", len(ids), kind=finding)
    if ids:
        logged = {
            name: list(all_[:_MAX_LOGGED]) for name, all_ in {"ids": ids, **concerned}.items()
        }
        details = {"kind": finding, "count": len(ids), **logged}
        _logger.error("Reconciler: %s: %s", finding, remedy, extra=details)


def _release(work: Work, allocation: Allocation, _found: FoundAllocation) -> None:
    work.release(allocation, ReleaseReason.account_blocked())


def _release_broken(work: Work, allocation: Allocation, _found: FoundAllocation) -> None:
    health = work.device(allocation.device_id).health
    if health in BROKEN:  # it may have recovered after the search, before it was locked
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
    deliveries = [(one, channel) for one in bare for channel in _channels(one.kind)]
    findings.add_deliveries(cursor, deliveries, tools.clock())
    return [one.id for one in bare]


def _channels(key: str) -> Sequence[Channel]:
    """Return the channels of a `NoticeKind`, given by its key."""
    kind = _KINDS.get(key)
    return kind.channels if kind else (Channel.WEBSOCKET,)
