"""The waiting line, page by page: what a run of housekeeping reads is bounded.

The entries at the head may be impossible to serve: the devices that they ask for may be too large,
or their users may have reached their quota. So the position in the line is kept between runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.database import walks
from scheduler.database.times import EPOCH
from scheduler.database.waiting import COLUMNS, SERVING_ORDER, entry_of, find

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.waiting import WaitingEntry

MAX_COUNTED: Final = 10_000
"""`length` stops there, so that the statement stays short however long the line is."""

_POSITION: Final = "waiting-line"
_LENGTH: Final = """
    SELECT COUNT(*) FROM (
        SELECT 1 FROM waiting FORCE INDEX (line) WHERE status = 'WAITING' LIMIT %s
    ) line
"""
# One row of the index is read for each number of cores. With GROUP BY, MariaDB reads all.
_LARGEST_FREE: Final = """
    SELECT cpu_cores, memory_mb FROM devices FORCE INDEX (best_fit)
    WHERE free = 1 AND cpu_cores < %s ORDER BY cpu_cores DESC, memory_mb DESC LIMIT 1
"""
_ABOVE_ALL: Final = 1 << 32
"""More cores than the column can hold."""
_HEAD: Final = f"""
    SELECT {COLUMNS} FROM waiting w FORCE INDEX (line)
    WHERE w.status = 'WAITING' ORDER BY {SERVING_ORDER} LIMIT %(limit)s
"""  # noqa: S608 - constants
# Each part is one index range; for a condition with OR the optimizer would not use one.
_AFTER: Final = f"""
    (SELECT {COLUMNS} FROM waiting w FORCE INDEX (line)
     WHERE w.status = 'WAITING' AND w.priority = %(priority)s AND w.created_at = %(created_at)s
        AND w.id > %(id)s ORDER BY {SERVING_ORDER} LIMIT %(limit)s)
    UNION ALL
    (SELECT {COLUMNS} FROM waiting w FORCE INDEX (line)
     WHERE w.status = 'WAITING' AND w.priority = %(priority)s AND w.created_at > %(created_at)s
     ORDER BY {SERVING_ORDER} LIMIT %(limit)s)
    UNION ALL
    (SELECT {COLUMNS} FROM waiting w FORCE INDEX (line)
     WHERE w.status = 'WAITING' AND w.priority < %(priority)s
     ORDER BY {SERVING_ORDER} LIMIT %(limit)s)
    ORDER BY priority DESC, created_at, id LIMIT %(limit)s
"""  # noqa: S608 - constants
_OVERDUE: Final = f"""
    SELECT {COLUMNS} FROM waiting w FORCE INDEX (due_expiry)
    WHERE w.status = 'WAITING' AND w.expires_at <= %(now)s AND w.expires_at >= %(after)s
        AND (w.expires_at > %(after)s OR w.id > %(after_id)s)
    ORDER BY w.expires_at, w.id LIMIT %(limit)s
"""  # noqa: S608 - constants


class FreeSizes(NamedTuple):
    """The free devices: the largest memory (MB) for each number of cores."""

    largest: dict[int, int]

    def suits(self, entry: WaitingEntry) -> bool:
        """Return whether a free device is large enough."""
        cores, memory = entry.requirements
        return any(has >= cores and mb >= memory for has, mb in self.largest.items())


def length(cursor: Cursor) -> int:
    """Return the number of entries that wait, at most `MAX_COUNTED`."""
    cursor.execute(_LENGTH, (MAX_COUNTED,))
    ((count,),) = cursor.fetchall()
    return int(count)


def free_sizes(cursor: Cursor) -> FreeSizes:
    """Return the sizes of the devices that can be allocated."""
    largest: dict[int, int] = {}
    below = _ABOVE_ALL
    while cursor.execute(_LARGEST_FREE, (below,)):
        ((below, largest[below]),) = cursor.fetchall()
    return FreeSizes(largest)


def page(cursor: Cursor, after: WaitingEntry | None, limit: int) -> list[WaitingEntry]:
    """Return the next entries that wait, in serving order; ``after`` is None at the head."""
    parameters: dict[str, object] = {"limit": limit}
    if after:
        parameters |= {"priority": after.priority, "id": after.id, "created_at": after.created_at}
    cursor.execute(_AFTER if after else _HEAD, parameters)
    return [entry_of(row) for row in cursor.fetchall()]


def position(cursor: Cursor) -> WaitingEntry | None:
    """Return the entry that `move` was given last; None at the head."""
    return find(cursor, walks.position(cursor, _POSITION))


def move(cursor: Cursor, entry: WaitingEntry | None) -> None:
    """Keep the position for the next run."""
    walks.move(cursor, _POSITION, entry.id if entry else "")


def last_of(entries: Iterable[WaitingEntry]) -> WaitingEntry:
    """Return the entry that is served after the others."""
    return max(entries, key=lambda one: (-one.priority, one.created_at, one.id))


def overdue(
    cursor: Cursor, now: datetime, after: WaitingEntry | None, limit: int
) -> list[WaitingEntry]:
    """Return entries whose waiting time is over, in the order of its end, following ``after``."""
    parameters = {
        "now": now,
        "after": after.expires_at if after else EPOCH,
        "after_id": after.id if after else "",
        "limit": limit,
    }
    cursor.execute(_OVERDUE, parameters)
    return [entry_of(row) for row in cursor.fetchall()]
