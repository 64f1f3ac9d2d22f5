"""Pages of devices, users and a user's allocations, for operators.

A page is continued after its last key. A search is the beginning of an id. Statements that may
have to read many rows end after `MAX_SECONDS`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pymysql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from pymysql.cursors import Cursor

MAX_SECONDS: Final = 2.0

_STATEMENT_TIMEOUT: Final = 1969
"""MariaDB's ER_STATEMENT_TIMEOUT."""
_LIMITED: Final = f"SET STATEMENT max_statement_time = {MAX_SECONDS} FOR "
_DEVICES: Final = """
    SELECT d.id, d.name, d.status, d.health, d.cpu_cores, d.memory_mb, d.last_allocated_at,
           a.id, a.user_id, a.allocated_at, a.expires_at
    FROM (SELECT * FROM devices WHERE {conditions} ORDER BY id LIMIT %s) d
    LEFT JOIN allocations a ON a.active_device_id = d.id ORDER BY d.id
"""
_USERS: Final = """
    SELECT u.id, u.status, u.billing_hold, u.max_devices, u.locale, u.created_at,
           (SELECT COUNT(*) FROM allocations a FORCE INDEX (active_by_user)
            WHERE a.user_id = u.id AND a.status = 'ALLOCATED')
    FROM (SELECT * FROM users WHERE {conditions} ORDER BY id LIMIT %s) u ORDER BY u.id
"""
_HISTORY: Final = """
    SELECT id, device_id, status, allocated_at, expires_at, released_at, duration_seconds,
           release_code, release_reason, release_details
    FROM allocations FORCE INDEX (by_user)
    WHERE user_id = %s AND (allocated_at, id) < (%s, %s) AND allocated_at <= %s
    ORDER BY allocated_at DESC, id DESC LIMIT %s
"""
_WAITING: Final = """
    SELECT id, status, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at, ended_at
    FROM waiting FORCE INDEX (by_user) WHERE user_id = %s ORDER BY created_at DESC LIMIT %s
"""
_RESERVATIONS: Final = """
    SELECT id, device_id, status, starts_at, ends_at, created_at, ended_at
    FROM reservations FORCE INDEX (by_user) WHERE user_id = %s ORDER BY starts_at DESC LIMIT %s
"""
_MAX_ID: Final = "~"
"""Sorts after every UUID."""


class ListedDevice(NamedTuple):
    """A device and its holder, if it has one."""

    id: str
    name: str
    status: str
    health: str
    cpu_cores: int
    memory_mb: int
    last_allocated_at: datetime | None
    allocation_id: str | None
    user_id: str | None
    allocated_at: datetime | None
    expires_at: datetime | None


class ListedUser(NamedTuple):
    """A user without their address; ``devices`` is how many they hold."""

    id: str
    status: str
    billing_hold: bool
    max_devices: int
    locale: str
    created_at: datetime
    devices: int


class ListedAllocation(NamedTuple):
    """An allocation of a user, current or past; the last field has the parameters of the reason."""

    id: str
    device_id: str
    status: str
    allocated_at: datetime
    expires_at: datetime
    released_at: datetime | None
    duration_seconds: int | None
    release_code: str | None
    release_reason: str | None
    release_details: str | None


class ListedRequest(NamedTuple):
    """A queued request of a user."""

    id: str
    status: str
    minutes: int
    min_cpu_cores: int
    min_memory_mb: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class ListedReservation(NamedTuple):
    """A reservation of a user."""

    id: str
    device_id: str
    status: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    ended_at: datetime | None


class SearchTooLongError(Exception):
    """A search or a count has reached `MAX_SECONDS`."""


def list_devices(
    cursor: Cursor, search: str, filters: Mapping[str, object], after: str, limit: int
) -> list[ListedDevice]:
    """Return devices in the order of their ids.

    Args:
        cursor: of a transaction.
        search: how their ids begin.
        filters: values of ``status`` and ``health``.
        after: the last id of the page before; empty for the first page.
        limit: the maximum number.

    Raises:
        SearchTooLongError: it took too long.
    """
    rows = _page(cursor, _DEVICES, search, filters, after, limit)
    return [ListedDevice(*row) for row in rows]


def list_users(
    cursor: Cursor, search: str, filters: Mapping[str, object], after: str, limit: int
) -> list[ListedUser]:
    """Return users in the order of their ids; the filters are ``status`` and ``billing_hold``."""
    rows = _page(cursor, _USERS, search, filters, after, limit)
    return [ListedUser(*row)._replace(billing_hold=bool(row[2])) for row in rows]


def count_by(cursor: Cursor, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return the number of rows of a table by the values of columns, each in its last place.

    Raises:
        SearchTooLongError: it took too long.
    """
    names = ", ".join(columns)
    with _limited():
        cursor.execute(f"{_LIMITED}SELECT {names}, COUNT(*) FROM {table} GROUP BY {names}")  # noqa: S608 - our names
    return list(cursor.fetchall())


def list_allocations(
    cursor: Cursor, user_id: str, before: tuple[datetime, str | None], limit: int
) -> list[ListedAllocation]:
    """Return a user's allocations, the newest first, from before an allocation (its time and id).

    Without an id, those up to the time.
    """
    at, id_ = before
    cursor.execute(_HISTORY, (user_id, at, id_ or _MAX_ID, at, limit))
    return [ListedAllocation(*row) for row in cursor.fetchall()]


def list_requests(cursor: Cursor, user_id: str, limit: int) -> list[ListedRequest]:
    """Return a user's queued requests, the newest first."""
    cursor.execute(_WAITING, (user_id, limit))
    return [ListedRequest(*row) for row in cursor.fetchall()]


def list_reservations(cursor: Cursor, user_id: str, limit: int) -> list[ListedReservation]:
    """Return a user's reservations, the latest first."""
    cursor.execute(_RESERVATIONS, (user_id, limit))
    return [ListedReservation(*row) for row in cursor.fetchall()]


def _page(
    cursor: Cursor,
    statement: str,
    search: str,
    filters: Mapping[str, object],
    after: str,
    limit: int,
) -> list[tuple[Any, ...]]:
    conditions = ["id > %s", "id LIKE %s", *(f"{column} = %s" for column in filters)]
    text = statement.format(conditions=" AND ".join(conditions))
    with _limited():
        cursor.execute(_LIMITED + text, (after, f"{_escaped(search)}%", *filters.values(), limit))
    return list(cursor.fetchall())


def _escaped(search: str) -> str:
    """Return a text in which ``%`` and ``_`` stand for themselves in a pattern."""
    return search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@contextmanager
def _limited() -> Iterator[None]:
    try:
        yield
    except pymysql.MySQLError as error:
        if _STATEMENT_TIMEOUT not in error.args:
            raise
        raise SearchTooLongError from error
