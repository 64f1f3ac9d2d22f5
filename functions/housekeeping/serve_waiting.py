"""Serves the waiting line, and expires entries whose waiting time is over."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from scheduler.allocation.waiting_line import serve
from scheduler.database import waiting
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


def serve_waiting(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Allocate free devices to waiting users who were skipped when the devices were freed.

    They were locked by another transaction, or their quota did not allow the device then.
    """
    last: WaitingEntry | None = None
    strategy = tools.settings.allocation_strategy
    while page := _servable(tools, last):
        work = tools.units.run(partial(serve, entries=page, strategy=strategy))
        yield len(work.grants)
        last = page[-1]
    with tools.database.transaction() as cursor:
        metrics.set("scheduler_waiting", waiting.length(cursor))


def expire_waiting(tools: Tools, metrics: Metrics) -> Iterator[int]:  # noqa: ARG001 - the signature of a job
    """Expire entries whose waiting time is over, and notify their users."""
    now, after = tools.clock(), ""
    while True:
        with tools.database.transaction() as cursor:
            page = waiting.overdue(cursor, now, after, ENTRIES_PER_TRANSACTION)
        if not page:
            return
        yield len(tools.units.run(partial(_expire, page=page)).notices)
        after = page[-1].id


def _servable(tools: Tools, last: WaitingEntry | None) -> list[WaitingEntry]:
    with tools.database.transaction() as cursor:
        return waiting.servable(cursor, tools.clock(), last, ENTRIES_PER_TRANSACTION)


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
