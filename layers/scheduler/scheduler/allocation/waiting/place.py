"""Places in line: how they are read. Times in UTC.

The first in line is the one with the highest priority, among equals the one who came first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.allocation.quota import Wish
from scheduler.ids import is_uuid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from pymysql.cursors import Cursor


class PlaceStatus(StrEnum):
    """Where a place stands; all but the first are final."""

    WAITING = "WAITING"
    SERVED = "SERVED"
    """There is an allocation with the id of the place."""
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REMOVED = "REMOVED"
    """Its user was suspended, held or deleted."""


class Place(NamedTuple):
    """A place in line; ``minutes`` is how long the device is wanted."""

    id: str
    user_id: str
    priority: int
    minutes: int
    wish: Wish
    status: PlaceStatus
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    @property
    def allocation_id(self) -> str | None:
        """Return the id of the allocation it led to."""
        return self.id if self.status is PlaceStatus.SERVED else None


COLUMNS: Final = """
    w.id, w.user_id, w.priority, w.minutes, w.min_cpu_cores, w.min_memory_mb, w.status,
    w.created_at, w.expires_at, w.ended_at
"""
LINE: Final = "w.priority DESC, w.created_at, w.id"

_ONE: Final = f"SELECT {COLUMNS} FROM waiting w WHERE w.id = %s"  # noqa: S608 - a constant
_OF_USER: Final = f"""
    SELECT {COLUMNS} FROM waiting w FORCE INDEX (by_user)
    WHERE w.user_id = %s AND w.status = 'WAITING' ORDER BY w.created_at, w.id
"""  # noqa: S608 - a constant
_BEFORE: Final = """
    SELECT w.id, COUNT(b.id) FROM waiting w
    LEFT JOIN waiting b FORCE INDEX (line) ON b.status = 'WAITING' AND b.priority >= w.priority
        AND (b.priority > w.priority OR b.created_at < w.created_at
             OR b.created_at = w.created_at AND b.id < w.id)
    WHERE w.id IN %s GROUP BY w.id
"""


def find(cursor: Cursor, place_id: str) -> Place | None:
    """Return one place, whatever became of it; None if there is none of that id."""
    if not is_uuid(place_id):
        return None
    cursor.execute(_ONE, (place_id,))
    row = cursor.fetchone()
    return place(row) if row else None


def of_user(cursor: Cursor, user_id: str) -> list[Place]:
    """Return the places in which a user waits, oldest first; no more than his quota allows."""
    cursor.execute(_OF_USER, (user_id,))
    return [place(row) for row in cursor.fetchall()]


def positions(cursor: Cursor, places: Iterable[Place]) -> dict[str, int]:
    """Return where each of those that still wait stands, from 1."""
    waiting = tuple(one.id for one in places if one.status is PlaceStatus.WAITING)
    if not waiting:
        return {}
    cursor.execute(_BEFORE, (waiting,))
    return {id_: before + 1 for id_, before in cursor.fetchall()}


def end(cursor: Cursor, place_ids: Collection[str], status: PlaceStatus, now: datetime) -> None:
    """Let places end; their users' rows are locked."""
    statement = "UPDATE waiting SET status = %s, ended_at = %s WHERE id IN %s"
    cursor.execute(statement, (status, now, tuple(place_ids)))


def place(row: tuple[Any, ...]) -> Place:
    """Return the place in a row of `COLUMNS`."""
    id_, user_id, priority, minutes, cpu, memory, status, created, expires, ended = row
    return Place(
        id_,
        user_id,
        priority,
        minutes,
        Wish(cpu, memory),
        PlaceStatus(status),
        created,
        expires,
        ended,
    )
