"""Writes by how much allocations last longer, and who wanted that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from scheduler.domain.work import Work

# An upsert, as in `scheduler.database.commit`: the rows exist and are locked.
_EXPIRIES: Final = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE expires_at = VALUES(expires_at)
"""
_HISTORY: Final = """
    INSERT INTO allocation_extensions (allocation_id, extended_at, expires_at, extended_by)
    VALUES (%s, %s, %s, %s)
"""


def write(cursor: Cursor, work: Work) -> None:
    """Store the new expiries of a batch, with their history."""
    now = work.now
    expiries, history = [], []
    for grant in work.extensions.values():
        allocation, until = grant.allocation, grant.expires_at
        holder = (allocation.user_id, allocation.device_id)
        expiries.append((allocation.id, *holder, "ALLOCATED", allocation.allocated_at, until))
        history.append((allocation.id, now, until, grant.cause or None))
    cursor.executemany(_EXPIRIES, expiries)
    cursor.executemany(_HISTORY, history)
