"""Serves the waiting line, and expires entries whose waiting time is over."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from scheduler.allocation.waiting_line import serve
from scheduler.database import waiting, waiting_pages
from scheduler.domain.notices import NoticeKind
from scheduler.domain.waiting import WaitingStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from housekeeping.tools import Tools
    from scheduler.domain.waiting import WaitingEntry
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics
    from scheduler.unit_of_work import UnitOfWork

ENTRIES_PER_TRANSACTION: Final = 100
PAGES_PER_RUN: Final = 10
"""Pages of entries that cannot be served, besides the head of the line."""
EXPIRED_PAGES_PER_RUN: Final = 50


def serve_waiting(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Allocate free devices to waiting users who were skipped when the devices were freed.

    They were locked by another transaction, or their quota did not allow the device then. The line
    is served from its head until a page cannot be served. Then the run continues where the last one
    ended, so that every entry gets its turn however long the line is.
    """
    after: WaitingEntry | None = None
    granted = 1
    while granted:
        page, granted = _serve_page(tools, after)
        if not page:
            break
        yield granted
        after = page[-1]
    else:
        yield from _continue(tools, after)
    with tools.database.transaction() as cursor:
        metrics.set("scheduler_waiting", waiting_pages.length(cursor))


def expire_waiting(tools: Tools, metrics: Metrics) -> Iterator[int]:  # noqa: ARG001 - the signature of a job
    """Expire entries whose waiting time is over, and notify their users."""
    now = tools.clock()
    after: WaitingEntry | None = None

    def attempt(entries: Sequence[WaitingEntry]) -> Work:
        return tools.units.run(partial(_expire, page=entries))

    for _ in range(EXPIRED_PAGES_PER_RUN):
        with tools.database.transaction() as cursor:
            page = waiting_pages.overdue(cursor, now, after, ENTRIES_PER_TRANSACTION)
        if not page:
            return
        for work in tools.failing.apart(page, attempt):
            yield len(work.notices)
        after = page[-1]


def _continue(tools: Tools, head: WaitingEntry | None) -> Iterator[int]:
    """Serve the pages after the head of the line and after those of the last run."""
    with tools.database.transaction() as cursor:
        passed = [one for one in (head, waiting_pages.position(cursor)) if one]
    after: WaitingEntry | None = waiting_pages.last_of(passed)
    for _ in range(PAGES_PER_RUN):
        page, granted = _serve_page(tools, after)
        if page is None:
            return
        after = page[-1] if page else None
        tools.database.run(partial(waiting_pages.move, entry=after))
        if not page:
            return
        yield granted


def _serve_page(tools: Tools, after: WaitingEntry | None) -> tuple[list[WaitingEntry] | None, int]:
    """Return the next page, and how many of its entries got a device; None if none is free."""
    now = tools.clock()
    with tools.database.transaction() as cursor:
        free = waiting_pages.free_sizes(cursor)
        if not free.largest:
            return None, 0
        page = waiting_pages.page(cursor, after, ENTRIES_PER_TRANSACTION)
    suited = [one for one in page if one.expires_at > now and free.suits(one)]
    if not suited:
        return page, 0

    def attempt(entries: Sequence[WaitingEntry]) -> Work:
        strategy = tools.settings.allocation_strategy
        return tools.units.run(partial(serve, entries=entries, strategy=strategy))

    return page, sum(len(work.grants) for work in tools.failing.apart(suited, attempt))


def _expire(unit: UnitOfWork, page: Sequence[WaitingEntry]) -> Work:
    work = unit.lock_users_skip_locked({one.user_id for one in page})
    free = [one.id for one in page if one.user_id in work.users]
    still = waiting.still_waiting(unit.cursor, free)
    for entry in still:
        work.begin(entry.id)
        work.notify(entry.user_id, NoticeKind.WAITING_EXPIRED, expires_at=entry.expires_at)
    if still:
        ids = [entry.id for entry in still]
        waiting.end(unit.cursor, ids, WaitingStatus.EXPIRED, work.now)
    return work
