"""Serves the line, and ends what nobody should wait for any longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.allocation.waiting.place import COLUMNS, LINE, PlaceStatus, end, place
from scheduler.allocation.waiting.serve import serve
from scheduler.database import load
from scheduler.domain.notices import NoticeKind
from scheduler.domain.state import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymysql.cursors import Cursor

    from housekeeping.tools import Tools
    from scheduler.allocation.waiting.place import Place
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics

CHUNK: Final = 100
"""Places a transaction."""

_SERVABLE: Final = f"""
    SELECT {COLUMNS} FROM waiting w FORCE INDEX (line)
    WHERE w.status = 'WAITING' AND w.expires_at > %(now)s AND EXISTS (
        SELECT 1 FROM devices d FORCE INDEX (best_fit)
        WHERE d.status = 'available' AND d.health = 'running'
            AND d.cpu_cores >= w.min_cpu_cores AND d.memory_mb >= w.min_memory_mb
    ) {{after}}
    ORDER BY {LINE} LIMIT %(limit)s
"""  # noqa: S608 - constants
_AFTER: Final = """
    AND (w.priority < %(priority)s OR w.priority = %(priority)s AND (
        w.created_at > %(created_at)s OR w.created_at = %(created_at)s AND w.id > %(id)s))
"""
_DUE: Final = f"""
    SELECT {COLUMNS} FROM waiting w FORCE INDEX (due_expiry)
    WHERE w.status = 'WAITING' AND w.expires_at <= %s AND w.id > %s ORDER BY w.id LIMIT %s
"""  # noqa: S608 - constants
_STILL: Final = "SELECT id FROM waiting WHERE id IN %s AND status = 'WAITING'"
_LENGTH: Final = "SELECT COUNT(*) FROM waiting WHERE status = 'WAITING'"


def serve_waiting(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Give free devices to whoever waits for one: what no transaction did that freed a device.

    That is so if a user in line was busy at that moment, or got room in his quota afterwards.
    """
    last: Place | None = None
    while page := _page(tools, last):
        yield len(_serve(tools, page).grants)
        last = page[-1]
    with tools.database.transaction() as cursor:
        cursor.execute(_LENGTH)
        ((length,),) = cursor.fetchall()
    metrics.add("scheduler_waiting", length)


def expire_waiting(tools: Tools, metrics: Metrics) -> Iterator[int]:  # noqa: ARG001 - a job's signature
    """End the places of those who have waited long enough, and tell them."""
    due, after = tools.clock(), ""
    while True:
        with tools.database.transaction() as cursor:
            cursor.execute(_DUE, (due, after, CHUNK))
            page = [place(row) for row in cursor.fetchall()]
        if not page:
            return
        yield len(_expire(tools, page).notices)
        after = page[-1].id


def _page(tools: Tools, last: Place | None) -> list[Place]:
    parameters: dict[str, object] = {"now": tools.clock(), "limit": CHUNK}
    if last:
        parameters |= {"priority": last.priority, "id": last.id}
        parameters |= {"created_at": last.created_at}
    with tools.database.transaction() as cursor:
        cursor.execute(_SERVABLE.format(after=_AFTER if last else ""), parameters)
        return [place(row) for row in cursor.fetchall()]


def _serve(tools: Tools, page: Sequence[Place]) -> Work:
    def decide(cursor: Cursor) -> Work:
        work = tools.work(Snapshot())
        serve(cursor, work, page, tools.settings.allocation_strategy)
        return work

    return tools.change(decide)


def _expire(tools: Tools, page: Sequence[Place]) -> Work:
    def decide(cursor: Cursor) -> Work:
        work = tools.work(load.free_users(cursor, {one.user_id for one in page}))
        free = {one.id: one for one in page if one.user_id in work.users}
        still = _still(cursor, tuple(free))
        for id_ in still:
            work.begin(id_)
            expires_at = free[id_].expires_at
            work.notify(free[id_].user_id, NoticeKind.WAITING_EXPIRED, expires_at=expires_at)
        if still:
            end(cursor, still, PlaceStatus.EXPIRED, work.now)
        return work

    return tools.change(decide)


def _still(cursor: Cursor, places: Sequence[str]) -> list[str]:
    if not places:
        return []
    cursor.execute(_STILL, (places,))
    return [id_ for (id_,) in cursor.fetchall()]
