"""Begins reservations whose time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.allocation.reservation.reservation import COLUMNS, reservation
from scheduler.allocation.reservation.start import start
from scheduler.domain.state import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from housekeeping.tools import Tools
    from scheduler.allocation.reservation.reservation import Reservation
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics

CHUNK: Final = 100
"""Reservations a transaction."""

_DUE: Final = f"""
    SELECT {COLUMNS} FROM reservations r FORCE INDEX (due_start)
    WHERE r.status = 'RESERVED' AND r.starts_at <= %s AND r.id > %s ORDER BY r.id LIMIT %s
"""  # noqa: S608 - constants
_OF_DELETED: Final = f"""
    SELECT {COLUMNS} FROM reservations r FORCE INDEX (due_start) JOIN users u ON u.id = r.user_id
    WHERE r.status = 'RESERVED' AND r.starts_at > %s AND u.status = 'deleted' AND r.id > %s
    ORDER BY r.id LIMIT %s
"""  # noqa: S608 - constants


def start_reservations(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Allocate what was promised from now on, or tell the users why not.

    What a deleted user will not need any more is given up before its time.
    """
    now = tools.clock()
    for query in (_DUE, _OF_DELETED):
        after = ""
        while page := _page(tools, query, now, after):
            work = _start(tools, page)
            failed = len(work.notices) - len(work.grants)
            metrics.add("scheduler_reservations_total", len(work.grants), status="started")
            metrics.add("scheduler_reservations_total", failed, status="failed")
            yield len(work.notices)
            after = page[-1].id


def _page(tools: Tools, query: str, now: datetime, after: str) -> list[Reservation]:
    with tools.database.transaction() as cursor:
        cursor.execute(query, (now, after, CHUNK))
        return [reservation(row) for row in cursor.fetchall()]


def _start(tools: Tools, page: Sequence[Reservation]) -> Work:
    def decide(cursor: Cursor) -> Work:
        work = tools.work(Snapshot())
        start(cursor, work, page, tools.settings.allocation_strategy)
        return work

    return tools.change(decide)
