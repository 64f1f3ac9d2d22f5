"""Ends allocations whose time is over, and warns the users of those that end soon."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from housekeeping.allocations import Round
from housekeeping.releases import report_releases
from housekeeping.search import Search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.search import Found
    from housekeeping.tools import Tools
    from scheduler.domain.model import Allocation
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics

_WARNING: Final = timedelta(minutes=5)

_DUE: Final = "a.expires_at <= %(now)s"

_ENDING: Final = "a.expires_at > %(now)s AND a.expires_at <= %(soon)s AND told.id IS NULL"
# The key that `Work.announce_expiry` gives the warning, in the column's own character set: it is
# looked up in the index only then.
_WARNED: Final = """
    LEFT JOIN notifications told ON told.dedupe_key = CONVERT(
        CONCAT('allocation_expiring_soon:', a.id, ':',
               DATE_FORMAT(a.expires_at, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f'))
        USING ascii) COLLATE ascii_bin
"""


def expire(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """End what is due: the device is free, the user and the neighbouring services are told."""
    due = Search(_DUE, {"now": tools.clock()})
    for work in Round(tools, due, _expire):
        report_releases("Expired", work, metrics)
        yield len(work.releases)


def warn(tools: Tools, metrics: Metrics) -> Iterator[int]:  # noqa: ARG001 - a job's signature
    """Warn, once for each time an allocation may end at, of what ends within five minutes."""
    now = tools.clock()
    moments = {"now": now, "soon": now + _WARNING}
    for work in Round(tools, Search(_ENDING, moments, _WARNED), _warn):
        yield len(work.notices)


def _expire(work: Work, allocation: Allocation, _found: Found) -> None:
    work.expire(allocation)


def _warn(work: Work, allocation: Allocation, found: Found) -> None:
    work.announce_expiry(allocation, found.expires_at)
