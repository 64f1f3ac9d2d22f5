"""Writes the events about allocations that other services receive, such as ``device.released``.

They are written in the transaction of their cause; `scheduler.outbox.outgoing_events` publishes
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scheduler.json_text import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.changes import Grant, Release
    from scheduler.domain.work import Work

_INSERT: Final = """
    INSERT INTO outgoing_events (routing_key, body, created_at,
        caused_by, correlation_id, traceparent, allocation_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


def write(cursor: Cursor, work: Work) -> None:
    """Insert the events about released, allocated and extended devices."""
    cursor.executemany(_INSERT, [_row(*event, work.now) for event in _events(work)])


def _events(work: Work) -> Iterator[tuple[str, Release | Grant, dict[str, Any]]]:
    for release in work.releases.values():
        reason, seconds = release.reason.code, release.duration_seconds
        details = {"reason": reason, "durationSeconds": seconds}
        yield "device.released", release, _body(work, release, details)
    for routing_key, grants in (
        ("device.allocated", work.grants),
        ("device.extended", work.extensions),
    ):
        for grant in grants.values():
            details = {"expiresAt": grant.expires_at.isoformat()}
            yield routing_key, grant, _body(work, grant, details)


def _row(
    routing_key: str, change: Release | Grant, body: dict[str, Any], now: datetime
) -> tuple[object, ...]:
    allocation_id, cause = change.allocation.id, change.actor or None
    return (routing_key, json_text(body), now, cause, *change.trace, allocation_id)


def _body(work: Work, change: Release | Grant, details: dict[str, Any]) -> dict[str, Any]:
    allocation = change.allocation
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
        **_cause(change.actor),
    }


def _cause(actor: str) -> dict[str, str]:
    """Return the id of the message that caused a change; nothing if no message did."""
    source, _, key = actor.partition(":")
    return {"causedBy": key.partition(":")[2]} if source == "event" else {}
