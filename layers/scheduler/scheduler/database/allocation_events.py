"""Writes the events about allocations that other services receive, such as ``device.released``.

They are written in the transaction of their cause; `scheduler.outbox.outgoing_events` publishes
them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.cursors import Cursor

    from scheduler.domain.model import Allocation
    from scheduler.domain.work import Work

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode

_INSERT: Final = """
    INSERT INTO outgoing_events (routing_key, body, created_at) VALUES (%s, %s, %s)
"""


def write(cursor: Cursor, work: Work) -> None:
    """Insert the events about released, allocated and extended devices."""
    rows = [(routing_key, _encode(body), work.now) for routing_key, body in _events(work)]
    cursor.executemany(_INSERT, rows)


def _events(work: Work) -> Iterator[tuple[str, dict[str, Any]]]:
    for release in work.releases.values():
        reason, seconds = release.reason.code, release.duration_seconds
        details = {"reason": reason, "durationSeconds": seconds}
        yield "device.released", _body(work, release.allocation, details)
    for routing_key, grants in (
        ("device.allocated", work.grants),
        ("device.extended", work.extensions),
    ):
        for grant in grants.values():
            details = {"expiresAt": grant.expires_at.isoformat()}
            yield routing_key, _body(work, grant.allocation, details)


def _body(work: Work, allocation: Allocation, details: dict[str, Any]) -> dict[str, Any]:
    device = work.device(allocation.device_id)
    return {
        "allocationId": allocation.id,
        "userId": allocation.user_id,
        "deviceId": allocation.device_id,
        **details,
        "cpuCores": device.cpu_cores,
        "memoryMB": device.memory_mb,
        "storageMB": device.storage_mb,
        "timestamp": work.now.isoformat(),
    }
