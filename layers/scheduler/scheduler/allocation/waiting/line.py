"""What is read and locked to serve the line.

A transaction that frees devices holds their rows already, so it must not wait for the users of
the line any more: it locks those that nobody else holds, and passes the others over. It thus
never waits for anybody while it holds devices, and cannot be part of a deadlock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.allocation.holdings import holdings
from scheduler.allocation.waiting.place import COLUMNS, LINE, Place, place
from scheduler.database import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.model import Device
    from scheduler.domain.work import Work

LOOK_AHEAD: Final = 100
"""How many in line may be passed over: at their quota, or busy. The others have a minute's job."""

# One statement for both, since as a rule nobody waits and it is all that is ever asked.
_CONCERNED: Final = f"""
    (SELECT {COLUMNS}, 1 FROM waiting w FORCE INDEX (by_user)
     WHERE w.user_id IN %s AND w.status = 'WAITING')
    UNION ALL
    (SELECT {COLUMNS}, 0 FROM waiting w FORCE INDEX (line)
     WHERE w.status = 'WAITING' AND w.expires_at > %s AND w.user_id NOT IN %s
        AND w.min_cpu_cores <= %s AND w.min_memory_mb <= %s
     ORDER BY {LINE} LIMIT %s)
"""  # noqa: S608 - constants
_STILL: Final = f"""
    SELECT {COLUMNS} FROM waiting w WHERE w.id IN %s AND w.status = 'WAITING' ORDER BY {LINE}
"""  # noqa: S608 - constants
_NOBODY: Final = ("",)
"""No user has an empty id."""


def concerned(
    cursor: Cursor, blocked: Sequence[str], freed: Sequence[Device], now: datetime
) -> tuple[list[Place], list[Place]]:
    """Return the places of blocked users, and the first in line for whom a device may do."""
    excluded = tuple(blocked) or _NOBODY
    parameters = (
        *(excluded, now, excluded),
        max((device.cpu_cores for device in freed), default=0),
        max((device.memory_mb for device in freed), default=0),
        len(freed) + LOOK_AHEAD if freed else 0,
    )
    cursor.execute(_CONCERNED, parameters)
    rows = cursor.fetchall()
    leaving = [place(row[:-1]) for row in rows if row[-1]]
    return leaving, [place(row[:-1]) for row in rows if not row[-1]]


def lock(cursor: Cursor, work: Work, candidates: Iterable[Place]) -> list[Place]:
    """Let the work know the users in line, with all they hold; return who still waits.

    Users whom somebody else has locked are left out: without them in the work, nobody serves
    them. While a user's row is locked, neither his places nor what he holds change.
    """
    wanted = {one.id: one.user_id for one in candidates}
    strangers = set(wanted.values()) - set(work.users)
    if strangers:
        work.adopt(load.free_users(cursor, strangers))
    locked = {user_id for user_id in wanted.values() if user_id in work.users}
    still = _still(cursor, [id_ for id_, user_id in wanted.items() if user_id in locked])
    if still:
        work.adopt(holdings(cursor, {one.user_id for one in still}))
    return still


def _still(cursor: Cursor, place_ids: Sequence[str]) -> list[Place]:
    if not place_ids:
        return []
    cursor.execute(_STILL, (tuple(place_ids),))
    return [place(row) for row in cursor.fetchall()]
