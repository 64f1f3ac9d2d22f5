"""Allocations as they are shown, and in lists."""

from __future__ import annotations

from datetime import UTC, datetime

from allocation_api.allocations.models import Allocation
from allocation_api.pages import foreign_cursor, read_cursor
from scheduler.database.allocations import AllocationRecord, AllocationStatus, Position
from scheduler.ids import is_uuid


def shown(found: AllocationRecord) -> Allocation:
    """Return an allocation as its user sees it."""
    allocation = Allocation.model_validate(found)
    if found.status is AllocationStatus.ALLOCATED:
        return allocation
    # Somebody else may hold the device by now.
    return allocation.model_copy(update={"adb_host": None, "adb_port": None})


def cursor_parts(last: AllocationRecord) -> tuple[str, str]:
    """Return what a cursor says of the last allocation of a page."""
    return last.allocated_at.replace(tzinfo=None).isoformat(), last.id


def position(cursor: str) -> Position:
    """Return where a page of allocations ended.

    Raises:
        ApiError: 422, the cursor was not made by this list.
    """
    moment, id_ = read_cursor(cursor, parts=2)
    try:
        allocated_at = datetime.fromisoformat(moment)
    except ValueError:
        raise foreign_cursor() from None
    if allocated_at.tzinfo or not is_uuid(id_):
        raise foreign_cursor()
    return Position(allocated_at.replace(tzinfo=UTC), id_)
