"""Ends expired allocations, and warns the users of those that end soon."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from housekeeping.search_pass import SearchPass, report_releases
from scheduler.database.active_allocations import AllocationSearch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.tools import Tools
    from scheduler.database.active_allocations import FoundAllocation
    from scheduler.domain.model import Allocation
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics

_WARN_BEFORE: Final = timedelta(minutes=5)


def expire(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """End expired allocations: free the devices, and notify users and other services."""
    for work in SearchPass(tools, AllocationSearch.expired(tools.clock()), _expire):
        report_releases("Expired", work, metrics)
        yield len(work.releases)


def warn(tools: Tools, metrics: Metrics) -> Iterator[int]:  # noqa: ARG001 - the signature of a job
    """Warn users of allocations that end within five minutes, once for each expiry time."""
    now = tools.clock()
    ending = AllocationSearch.ending_unannounced(now, now + _WARN_BEFORE)
    for work in SearchPass(tools, ending, _warn):
        yield len(work.notices)


def _expire(work: Work, allocation: Allocation, _found: FoundAllocation) -> None:
    work.expire(allocation)


def _warn(work: Work, allocation: Allocation, found: FoundAllocation) -> None:
    work.warn_of_expiry(allocation, found.expires_at)
