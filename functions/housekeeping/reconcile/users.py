"""A suspended, held or deleted user holds no device; an allocation has a user and a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from housekeeping.allocations import Round
from housekeeping.reconcile.findings import Finding, report
from housekeeping.releases import report_releases
from housekeeping.search import CHUNK, Search
from scheduler.domain.reasons import ReleaseReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.search import Found
    from housekeeping.tools import Tools
    from scheduler.domain.model import Allocation
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics

_BLOCKED: Final = Search(
    condition="(u.status <> 'active' OR u.billing_hold)",
    parameters={},
    joins="JOIN users u ON u.id = a.user_id",
)
_OF_UNKNOWN: Final = """
    SELECT a.id FROM allocations a
    LEFT JOIN users u ON u.id = a.user_id
    LEFT JOIN devices d ON d.id = a.device_id
    WHERE a.status = 'ALLOCATED' AND (u.id IS NULL OR d.id IS NULL)
    LIMIT %s
"""


def reconcile_users(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Release what blocked users hold; report allocations of users or devices without a row."""
    report(Finding.BLOCKED_USER_HOLDS_DEVICE, (), "", metrics)
    for work in Round(tools, _BLOCKED, _release):
        ids = list(work.releases)
        report(Finding.BLOCKED_USER_HOLDS_DEVICE, ids, "released", metrics)
        report_releases("Released", work, metrics)
        yield len(ids)
    with tools.database.transaction() as cursor:
        cursor.execute(_OF_UNKNOWN, (CHUNK,))
        unknown = [id_ for (id_,) in cursor.fetchall()]
    report(Finding.ALLOCATION_OF_UNKNOWN, unknown, "left for a person to decide", metrics)


def _release(work: Work, allocation: Allocation, _found: Found) -> None:
    work.release(allocation, ReleaseReason.account_blocked())
