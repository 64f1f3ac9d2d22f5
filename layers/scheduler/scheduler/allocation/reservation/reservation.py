"""Reservations: how they are read. Times in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from scheduler.allocation.quota import Wish
from scheduler.allocation.reservation.calendar import Slot
from scheduler.ids import is_uuid

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from pymysql.cursors import Cursor


class ReservationStatus(StrEnum):
    """Where a reservation stands; all but the first are final."""

    RESERVED = "RESERVED"
    STARTED = "STARTED"
    """There is an allocation with the id of the reservation."""
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A device promised for a slot; which one may change until it begins."""

    id: str
    user_id: str
    device_id: str
    slot: Slot
    wish: Wish
    status: ReservationStatus
    created_at: datetime
    ended_at: datetime | None = None

    @property
    def allocation_id(self) -> str | None:
        """Return the id of the allocation it led to."""
        return self.id if self.status is ReservationStatus.STARTED else None


COLUMNS: Final = """
    r.id, r.user_id, r.device_id, r.starts_at, r.ends_at, r.min_cpu_cores, r.min_memory_mb,
    r.status, r.created_at, r.ended_at
"""
_ONE: Final = f"SELECT {COLUMNS} FROM reservations r WHERE r.id = %s"  # noqa: S608 - a constant
_OF_USER: Final = f"""
    SELECT {COLUMNS} FROM reservations r FORCE INDEX (by_user)
    WHERE r.user_id = %s AND r.status = 'RESERVED' ORDER BY r.starts_at, r.id
"""  # noqa: S608 - a constant


def find(cursor: Cursor, reservation_id: str) -> Reservation | None:
    """Return one reservation, whatever became of it; None if there is none of that id."""
    if not is_uuid(reservation_id):
        return None
    cursor.execute(_ONE, (reservation_id,))
    row = cursor.fetchone()
    return reservation(row) if row else None


def of_user(cursor: Cursor, user_id: str) -> list[Reservation]:
    """Return what is reserved for a user, the next first."""
    cursor.execute(_OF_USER, (user_id,))
    return [reservation(row) for row in cursor.fetchall()]


def end(cursor: Cursor, ids: Collection[str], status: ReservationStatus, now: datetime) -> None:
    """Let reservations end; their users' rows are locked."""
    statement = "UPDATE reservations SET status = %s, ended_at = %s WHERE id IN %s"
    cursor.execute(statement, (status, now, tuple(ids)))


def reservation(row: tuple[Any, ...]) -> Reservation:
    """Return the reservation in a row of `COLUMNS`."""
    id_, user_id, device_id, starts, ends, cpu, memory, status, created, ended = row
    return Reservation(
        id_,
        user_id,
        device_id,
        Slot(starts, ends),
        Wish(cpu, memory),
        ReservationStatus(status),
        created,
        ended,
    )
