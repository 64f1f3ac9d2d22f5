"""Finds which users and devices have rows that other transactions have locked.

A user or device is one thing, but has rows in several tables: whoever holds one of them makes a
transaction on this user or device wait. Only ``SKIP LOCKED`` is used, so a search never waits,
unless a whole table is locked. Rows that are free stay locked until the transaction ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pymysql.cursors import Cursor

RowId = TypeVar("RowId", str, int)

# Each selects whose row it is, and what identifies the row among those of its owner.
_ROWS_OF_USERS: Final = (
    "SELECT id, '' FROM users WHERE id IN %s ORDER BY id",
    "SELECT user_id, '' FROM notification_preferences WHERE user_id IN %s ORDER BY user_id",
    """SELECT id, concern FROM event_versions WHERE aggregate = 'user' AND id IN %s
    ORDER BY id, concern""",
    """SELECT user_id, id FROM waiting FORCE INDEX (by_user)
    WHERE user_id IN %s AND status = 'WAITING' ORDER BY id""",
    """SELECT user_id, id FROM reservations FORCE INDEX (by_user)
    WHERE user_id IN %s AND status = 'RESERVED' ORDER BY id""",
)
# A row is left out if its delivery or its notification is locked.
_ROWS_TO_ERASE: Final = (
    """SELECT d.user_id, d.id FROM notification_deliveries d FORCE INDEX (by_user)
    STRAIGHT_JOIN notifications n ON n.id = d.notification_id
    WHERE d.status = 'pending' AND d.channel IN ('websocket', 'email', 'sms') AND d.user_id IN %s
    ORDER BY d.id""",
    "SELECT user_id, '' FROM erasures WHERE user_id IN %s ORDER BY user_id",
)
_ROWS_OF_DEVICES: Final = (
    "SELECT id, '' FROM devices WHERE id IN %s ORDER BY id",
    """SELECT id, concern FROM event_versions WHERE aggregate = 'device' AND id IN %s
    ORDER BY id, concern""",
    "SELECT device_id, '' FROM early_reports WHERE device_id IN %s ORDER BY device_id",
    """SELECT active_device_id, id FROM allocations FORCE INDEX (one_holder_per_device)
    WHERE active_device_id IN %s ORDER BY active_device_id""",
)
_LOCK_FREE: Final = "FOR UPDATE SKIP LOCKED"
_BY_ID: Final = "SELECT id FROM {table} WHERE id IN %s ORDER BY id"
_SEE_UNCOMMITTED: Final = "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"
# The index is forced because, for many users, the optimizer would scan all active allocations.
_HELD_BY: Final = """
    SELECT user_id, device_id FROM allocations FORCE INDEX (active_by_user)
    WHERE user_id IN %s AND status = 'ALLOCATED'
"""
_HELD_DEVICE: Final = "SELECT user_id, device_id FROM allocations WHERE active_device_id IN %s"


def find_blocked(
    cursor: Cursor, users: Collection[str], devices: Collection[str], *, erases: bool = False
) -> set[str]:
    """Return the ids of users or devices on whose rows a transaction would have to wait.

    A user is blocked by a lock on their rows or on those of a device that they hold, a device by
    one on its rows or on those of its holder.

    Args:
        cursor: of a transaction in which nothing was executed yet.
        users: ids of users, or none if devices are asked for.
        devices: ids of devices, or none if users are asked for.
        erases: whether the transaction erases notifications of the users.
    """
    # Another transaction, such as that of a killed function, may have inserted rows of new users.
    cursor.execute(_SEE_UNCOMMITTED)
    statement, ids = (_HELD_BY, users) if users else (_HELD_DEVICE, devices)
    held = list(_fetch(cursor, statement, ids))
    locked_users = _locked(cursor, _ROWS_OF_USERS, {*users, *(user for user, _ in held)})
    if erases:
        locked_users |= _locked(cursor, _ROWS_TO_ERASE, users)
    locked_devices = _locked(cursor, _ROWS_OF_DEVICES, {*devices, *(one for _, one in held)})
    by_device = {user for user, device in held if device in locked_devices}
    by_holder = {device for user, device in held if user in locked_users}
    blocked = locked_users | by_device if users else locked_devices | by_holder
    return blocked & set(ids)


def locked_by_others(cursor: Cursor, table: str, ids: Collection[RowId]) -> set[RowId]:
    """Return the ids of rows that other transactions have locked; lock the other rows."""
    if not ids:
        return set()
    rows = _BY_ID.format(table=table)
    skipped = set(ids) - {id_ for (id_,) in _fetch(cursor, f"{rows} {_LOCK_FREE}", ids)}
    # What has no row cannot be locked by anyone.
    return {id_ for (id_,) in _fetch(cursor, rows, skipped)} if skipped else set()


def _locked(cursor: Cursor, statements: Iterable[str], owners: Collection[str]) -> set[str]:
    """Return whose rows other transactions have locked; lock the other rows."""
    locked: set[str] = set()
    for statement in statements if owners else ():
        free = set(_fetch(cursor, f"{statement} {_LOCK_FREE}", owners))
        locked |= {row[0] for row in _fetch(cursor, statement, owners) if row not in free}
    return locked


def _fetch(cursor: Cursor, statement: str, ids: Collection[RowId]) -> Iterable[Any]:
    cursor.execute(statement, (sorted(ids),))
    return cursor.fetchall()
