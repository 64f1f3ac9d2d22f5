"""The waiting line: the statements on the table ``waiting``.

The user's row must be locked to change an entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.database import allocations, load
from scheduler.domain.quota import Requirements
from scheduler.domain.waiting import WaitingEntry, WaitingStatus
from scheduler.ids import is_uuid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.model import Device
    from scheduler.domain.work import Work

MAX_SKIPPED: Final = 100
"""Number of entries that are read beyond the number of freed devices.

This many entries may be skipped because their users are locked or have reached their quota.
Housekeeping serves the entries after them within a minute.
"""

MAX_SEARCHED: Final = 1000
"""Number of entries at the head that are searched for those that the freed devices may suit.

Thousands may wait for larger devices, and each batch that frees devices would read all of them.
"""

COLUMNS: Final = """
    w.id, w.user_id, w.priority, w.minutes, w.min_cpu_cores, w.min_memory_mb, w.status,
    w.created_at, w.expires_at, w.ended_at
"""
SERVING_ORDER: Final = "w.priority DESC, w.created_at, w.id"

_ONE: Final = f"SELECT {COLUMNS} FROM waiting w WHERE w.id = %s"  # noqa: S608 - a constant
_OF_USER: Final = f"""
    SELECT {COLUMNS} FROM waiting w FORCE INDEX (by_user)
    WHERE w.user_id = %s AND w.status = 'WAITING' ORDER BY w.created_at, w.id
"""  # noqa: S608 - a constant
_AHEAD: Final = """
    SELECT w.id, COUNT(b.id) FROM waiting w
    LEFT JOIN waiting b FORCE INDEX (line) ON b.status = 'WAITING' AND b.priority >= w.priority
        AND (b.priority > w.priority OR b.created_at < w.created_at
             OR b.created_at = w.created_at AND b.id < w.id)
    WHERE w.id IN %s GROUP BY w.id
"""
_JOIN: Final = """
    INSERT INTO waiting
        (id, user_id, priority, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_END: Final = "UPDATE waiting SET status = %s, ended_at = %s WHERE id IN %s"
# One statement for all, because usually no user waits or has reservations, and then it is the only
# one.
_AFFECTED: Final = f"""
    (SELECT {COLUMNS}, 'leaves' FROM waiting w FORCE INDEX (by_user)
     WHERE w.user_id IN %s AND w.status = 'WAITING')
    UNION ALL
    (SELECT r.id, r.user_id, NULL, NULL, NULL, NULL, NULL, r.starts_at, NULL, NULL, 'reserved'
     FROM reservations r FORCE INDEX (by_user)
     WHERE r.user_id IN %s AND r.status = 'RESERVED')
    UNION ALL
    (SELECT {COLUMNS}, 'waits' FROM (
        SELECT * FROM waiting w FORCE INDEX (line)
        WHERE w.status = 'WAITING' ORDER BY {SERVING_ORDER} LIMIT {MAX_SEARCHED}) w
     WHERE w.expires_at > %s AND w.user_id NOT IN %s
        AND w.min_cpu_cores <= %s AND w.min_memory_mb <= %s
     ORDER BY {SERVING_ORDER} LIMIT %s)
"""  # noqa: S608 - constants
_STILL_WAITING: Final = f"""
    SELECT {COLUMNS} FROM waiting w WHERE w.id IN %s AND w.status = 'WAITING'
    ORDER BY {SERVING_ORDER} FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - constants
_NO_USER: Final = ("",)
"""An IN list cannot be empty, and no user has an empty id."""


def find(cursor: Cursor, entry_id: str) -> WaitingEntry | None:
    """Return an entry in any state; None for an unknown id."""
    if not is_uuid(entry_id):
        return None
    cursor.execute(_ONE, (entry_id,))
    row = cursor.fetchone()
    return entry_of(row) if row else None


def of_user(cursor: Cursor, user_id: str) -> list[WaitingEntry]:
    """Return a user's entries that still wait, oldest first; the quota limits their number."""
    cursor.execute(_OF_USER, (user_id,))
    return [entry_of(row) for row in cursor.fetchall()]


def positions(cursor: Cursor, entries: Iterable[WaitingEntry]) -> dict[str, int]:
    """Return the position, from 1, of each entry that still waits."""
    waiting = tuple(one.id for one in entries if one.status is WaitingStatus.WAITING)
    if not waiting:
        return {}
    cursor.execute(_AHEAD, (waiting,))
    return {id_: ahead + 1 for id_, ahead in cursor.fetchall()}


def join(cursor: Cursor, entry: WaitingEntry) -> None:
    """Insert an entry."""
    requirements = (entry.requirements.cpu_cores, entry.requirements.memory_mb)
    row = (entry.id, entry.user_id, entry.priority, entry.minutes, *requirements)
    cursor.execute(_JOIN, (*row, entry.created_at, entry.expires_at))


def end(cursor: Cursor, entry_ids: Collection[str], status: WaitingStatus, now: datetime) -> None:
    """Set the final state of entries."""
    cursor.execute(_END, (status, now, tuple(entry_ids)))


class Affected(NamedTuple):
    """What freed devices and blocked users change; see `affected`."""

    leaving: list[WaitingEntry]
    candidates: list[WaitingEntry]
    reserved: list[tuple[str, str, datetime]]
    """Id, user and start of each reservation."""


def affected(
    cursor: Cursor,
    blocked: Sequence[str],
    ended: Sequence[str],
    freed: Sequence[Device],
    now: datetime,
) -> Affected:
    """Return what blocked users and freed devices change, in one statement.

    Args:
        cursor: of the transaction that blocked the users and freed the devices.
        blocked: users whose entries leave the waiting line.
        ended: users whose reservations end.
        freed: devices; the first entries that they may suit are the candidates.
        now: the current time (UTC); expired entries are not candidates.
    """
    excluded = tuple(blocked) or _NO_USER
    parameters = (
        *(excluded, tuple(ended) or _NO_USER, now, excluded),
        max((device.cpu_cores for device in freed), default=0),
        max((device.memory_mb for device in freed), default=0),
        len(freed) + MAX_SKIPPED if freed else 0,
    )
    cursor.execute(_AFFECTED, parameters)
    found: dict[str, list[Any]] = {"leaves": [], "waits": [], "reserved": []}
    for *columns, part in cursor.fetchall():
        found[part].append(columns)
    return Affected(
        [entry_of(row) for row in found["leaves"]],
        [entry_of(row) for row in found["waits"]],
        [(id_, user, start) for id_, user, *_, start, _, _ in found["reserved"]],
    )


def lock(cursor: Cursor, work: Work, candidates: Iterable[WaitingEntry]) -> list[WaitingEntry]:
    """Lock the users of entries, and return the entries that still wait, in serving order.

    The users and all they hold are merged into the work. Entries of users that another transaction
    has locked are left out.
    """
    users = {one.id: one.user_id for one in candidates}
    unknown = set(users.values()) - set(work.users)
    if unknown:
        work.merge(load.lock_users_skip_locked(cursor, unknown))
    locked = [id_ for id_, user_id in users.items() if user_id in work.users]
    still = still_waiting(cursor, locked)
    if still:
        work.merge(allocations.held_by(cursor, {one.user_id for one in still}))
    return still


def still_waiting(cursor: Cursor, entry_ids: Collection[str]) -> list[WaitingEntry]:
    """Lock and return which entries still wait, in serving order.

    Those that another transaction has locked are left out.
    """
    if not entry_ids:
        return []
    cursor.execute(_STILL_WAITING, (tuple(entry_ids),))
    return [entry_of(row) for row in cursor.fetchall()]


def entry_of(row: tuple[Any, ...]) -> WaitingEntry:
    """Return the entry of a row with `COLUMNS`."""
    id_, user_id, priority, minutes, cpu, memory, status, created_at, expires_at, ended_at = row
    return WaitingEntry(
        id_,
        user_id,
        priority,
        minutes,
        Requirements(cpu, memory),
        WaitingStatus(status),
        created_at,
        expires_at,
        ended_at,
    )
