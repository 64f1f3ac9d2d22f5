"""Allocations as they are looked up: with what the user needs to reach the device."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.ids import is_uuid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pymysql.cursors import Cursor


class AllocationStatus(StrEnum):
    """Where an allocation stands."""

    ALLOCATED = "ALLOCATED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class AllocationRecord:
    """An allocation, whether it still runs or not; the duration is in seconds."""

    id: str
    user_id: str
    device_id: str
    device_name: str | None
    status: AllocationStatus
    allocated_at: datetime
    expires_at: datetime
    released_at: datetime | None
    duration_seconds: int | None
    release_reason: str | None
    adb_host: str | None
    adb_port: int | None


class Position(NamedTuple):
    """Where a page of allocations ended."""

    allocated_at: datetime
    id: str


_SELECT: Final = """
    SELECT a.id, a.user_id, a.device_id, d.name, a.status, a.allocated_at, a.expires_at,
           a.released_at, a.duration_seconds, a.release_reason, d.adb_host, d.adb_port
    FROM allocations a LEFT JOIN devices d ON d.id = a.device_id
"""
_BY_ID: Final = f"{_SELECT} WHERE a.id IN %s"
_NEWEST: Final = "ORDER BY a.allocated_at DESC, a.id DESC LIMIT %s"
# Written out because MariaDB makes no range of (allocated_at, id) < (…).
_BEFORE: Final = "AND a.allocated_at <= %s AND (a.allocated_at < %s OR a.id < %s)"
_OF_USER: Final = f"{_SELECT} WHERE a.user_id = %s {{status}} {{position}} {_NEWEST}"


def find(cursor: Cursor, allocation_id: str) -> AllocationRecord | None:
    """Return one allocation; None if there is none of that id."""
    return by_id(cursor, [allocation_id]).get(allocation_id)


def by_id(cursor: Cursor, allocation_ids: Iterable[str]) -> dict[str, AllocationRecord]:
    """Return those of some allocations that there are."""
    wanted = tuple(filter(is_uuid, allocation_ids))
    if not wanted:
        return {}
    cursor.execute(_BY_ID, (wanted,))
    return {row[0]: _record(row) for row in cursor.fetchall()}


def of_user(
    cursor: Cursor,
    user_id: str,
    status: AllocationStatus | None,
    before: Position | None,
    limit: int,
) -> list[AllocationRecord]:
    """Return a user's allocations, newest first.

    Args:
        cursor: of a transaction.
        user_id: whose.
        status: only those of this status; None means all.
        before: the last one of the page before; None means from the newest.
        limit: how many at most.
    """
    parameters: list[object] = [user_id]
    if status:
        parameters.append(status)
    if before:
        parameters += [before.allocated_at, before.allocated_at, before.id]
    statement = _OF_USER.format(
        status="AND a.status = %s" if status else "", position=_BEFORE if before else ""
    )
    cursor.execute(statement, (*parameters, limit))
    return [_record(row) for row in cursor.fetchall()]


def _record(row: tuple[Any, ...]) -> AllocationRecord:
    id_, user, device, name, status, *rest = row
    return AllocationRecord(id_, user, device, name, AllocationStatus(status), *rest)
