"""What happened to an allocation: who or which message did what, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scheduler.allocation.record import AllocationStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

_ALLOCATION: Final = """
    SELECT status, allocated_at, allocated_by, released_at, released_by, release_code,
           release_reason
    FROM allocations WHERE id = %s
"""
_EXTENSIONS: Final = """
    SELECT extended_at, extended_by, expires_at FROM allocation_extensions
    WHERE allocation_id = %s ORDER BY id
"""


class Action(StrEnum):
    """What can happen to an allocation."""

    ALLOCATED = "allocated"
    EXTENDED = "extended"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened.

    ``cause`` is ``user:<id>``, ``event:<queue>:<message id>`` or, where a schedule did it or
    nobody has noted who, None.
    """

    at: datetime
    action: Action
    cause: str | None
    code: str | None = None
    reason: str | None = None
    expires_at: datetime | None = None


def changes(cursor: Cursor, allocation_id: str) -> list[Change]:
    """Return what happened to an allocation, oldest first; empty if there is none of that id."""
    return list(_changes(cursor, allocation_id))


def _changes(cursor: Cursor, allocation_id: str) -> Iterator[Change]:
    cursor.execute(_ALLOCATION, (allocation_id,))
    row = cursor.fetchone()
    if row is None:
        return
    status, allocated_at, allocated_by, released_at, released_by, code, reason = row
    yield Change(allocated_at, Action.ALLOCATED, allocated_by)
    cursor.execute(_EXTENSIONS, (allocation_id,))
    for at, by, until in cursor.fetchall():
        yield Change(at, Action.EXTENDED, by, expires_at=until)
    if released_at:
        expired = status == AllocationStatus.EXPIRED
        action = Action.EXPIRED if expired else Action.RELEASED
        yield Change(released_at, action, released_by, code, reason)
