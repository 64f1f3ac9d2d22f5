"""Starts reservations whose slot has started."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from scheduler.allocation.reservation_start import start
from scheduler.database import reservations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from housekeeping.tools import Tools
    from scheduler.domain.reservation import Reservation
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics

RESERVATIONS_PER_TRANSACTION: Final = 100
PAGES_PER_RUN: Final = 50


def start_reservations(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Allocate the reserved devices, or notify the users why that failed."""
    now, strategy = tools.clock(), tools.settings.allocation_strategy
    after: Reservation | None = None

    def attempt(due: Sequence[Reservation]) -> Work:
        return tools.units.run(partial(start, due=due, strategy=strategy))

    for _ in range(PAGES_PER_RUN):
        with tools.database.transaction() as cursor:
            page = reservations.due(cursor, now, after, RESERVATIONS_PER_TRANSACTION)
        if not page:
            break
        for work in tools.failing.apart(page, attempt):
            failed = len(work.notices) - len(work.grants)
            metrics.add("scheduler_reservations_total", len(work.grants), status="started")
            metrics.add("scheduler_reservations_total", failed, status="failed")
            yield len(work.notices)
        after = page[-1]
