"""A device is allocated exactly if it has an ALLOCATED row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from housekeeping.reconcile.findings import Finding, report
from housekeeping.search import CHUNK
from scheduler.database import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.tools import Tools
    from scheduler.database.bulk import BulkCursor
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics

_FINDINGS: Final = {
    Finding.DEVICE_ALLOCATED_TO_NOBODY: """
        SELECT d.id FROM devices d LEFT JOIN allocations a ON a.active_device_id = d.id
        WHERE d.status = 'allocated' AND a.id IS NULL
        ORDER BY d.id LIMIT %s
    """,
    Finding.HELD_DEVICE_AVAILABLE: """
        SELECT d.id FROM allocations a FORCE INDEX (due_expiry) JOIN devices d ON d.id = a.device_id
        WHERE a.status = 'ALLOCATED' AND d.status = 'available'
        ORDER BY d.id LIMIT %s
    """,
}


def reconcile_devices(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Let the status of devices say what their allocations say."""
    for finding, statement in _FINDINGS.items():
        suspects = _suspects(tools, statement)
        corrected = _correct(tools, suspects) if suspects else []
        report(finding, corrected, "corrected the status", metrics)
        yield len(corrected)


def _suspects(tools: Tools, statement: str) -> list[str]:
    with tools.database.transaction() as cursor:
        cursor.execute(statement, (CHUNK,))
        return [id_ for (id_,) in cursor.fetchall()]


def _correct(tools: Tools, device_ids: list[str]) -> list[str]:
    def decide(cursor: BulkCursor) -> Work:
        work = tools.work(load.snapshot(cursor, (), device_ids))
        for id_ in device_ids:
            work.correct_status(id_)
        return work

    return list(tools.change(decide).changed_devices)
