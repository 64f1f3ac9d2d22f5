"""Walks through large tables in key order, a part at a time; each position is kept in a row.

A part is taken before it is processed: one that fails, or whose process dies, is left for the next
pass and does not stop the walk. Concurrent runs take different parts.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.database.times import to_sql

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_ENSURE: Final = """
    INSERT INTO housekeeping_walks (name) VALUES (%s) ON DUPLICATE KEY UPDATE name = name
"""
_LOCK: Final = "SELECT position, counted FROM housekeeping_walks WHERE name = %s FOR UPDATE"
_UNTIL: Final = """
    SELECT {key} FROM {table} FORCE INDEX ({index}) WHERE {key} > %s
    ORDER BY {key} LIMIT 1 OFFSET %s
"""
_LAST: Final = "SELECT MAX({key}) FROM {table} FORCE INDEX ({index}) WHERE {key} > %s"
_MOVE: Final = "UPDATE housekeeping_walks SET position = %s WHERE name = %s"
_POSITION: Final = "SELECT position FROM housekeeping_walks WHERE name = %s"
_SET: Final = """
    INSERT INTO housekeeping_walks (name, position) VALUES (%s, %s)
    ON DUPLICATE KEY UPDATE position = VALUES(position)
"""
_COUNT: Final = "UPDATE housekeeping_walks SET counted = %s WHERE name = %s"


class Walk(NamedTuple):
    """The rows of a table in the order of a key, with which the index ``found_by`` begins."""

    name: str
    table: str
    key: str
    found_by: str


class Part(NamedTuple):
    """The rows whose key is greater than ``after`` and at most ``until``.

    ``is_last`` tells that the walk begins again after this part. ``counted`` is what was stored by
    `store_count`.
    """

    after: str
    until: str
    is_last: bool
    counted: int


def take(cursor: Cursor, walk: Walk, rows: int, start: str = "") -> Part:
    """Take the next part of a walk; until the transaction ends, other runs wait for it.

    Args:
        cursor: of a transaction.
        walk: what to walk through.
        rows: the number of rows of the part; more if several have its last key.
        start: the key after which the walk begins; a position before it is not used.
    """
    cursor.execute(_ENSURE, (walk.name,))
    cursor.execute(_LOCK, (walk.name,))
    ((position, counted),) = cursor.fetchall()
    after = max(position, start)
    where = {"key": walk.key, "table": walk.table, "index": walk.found_by}
    is_last = not cursor.execute(_UNTIL.format(**where), (after, rows - 1))
    if is_last:
        cursor.execute(_LAST.format(**where), (after,))
    ((last,),) = cursor.fetchall()
    until = after if last is None else to_sql(last) if isinstance(last, datetime) else str(last)
    cursor.execute(_MOVE, ("" if is_last else until, walk.name))
    return Part(after, until, is_last, counted)


def store_count(cursor: Cursor, walk: Walk, counted: int) -> None:
    """Keep what a walk has counted so far, in the transaction that took the part."""
    cursor.execute(_COUNT, (counted, walk.name))


def position(cursor: Cursor, name: str) -> str:
    """Return the position that `move` stored; empty if there is none."""
    cursor.execute(_POSITION, (name,))
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def move(cursor: Cursor, name: str, to: str) -> None:
    """Store the position of a walk that does not use `take`; concurrent runs may repeat parts."""
    cursor.execute(_SET, (name, to))
