"""Classifies database errors: the server is unavailable, rows are locked, or a conflict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import pymysql
from pymysql.constants import CR, ER

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_ATTEMPTS: Final = 3

_UNAVAILABLE: Final = frozenset(
    {
        CR.CR_CONN_HOST_ERROR,
        CR.CR_CONNECTION_ERROR,
        CR.CR_SERVER_GONE_ERROR,
        CR.CR_SERVER_LOST,
        CR.CR_UNKNOWN_HOST,
        ER.CON_COUNT_ERROR,
        ER.SERVER_SHUTDOWN,
        ER.OPTION_PREVENTS_STATEMENT,  # read-only after a failover
        ER.NORMAL_SHUTDOWN,
        ER.QUERY_INTERRUPTED,
        ER.TOO_MANY_USER_CONNECTIONS,
        ER.USER_LIMIT_REACHED,
        ER.DISK_FULL,
        ER.RECORD_FILE_FULL,
        1792,  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
        1836,  # ER_READ_ONLY_MODE
        1927,  # ER_CONNECTION_KILLED
        1969,  # ER_STATEMENT_TIMEOUT
    }
)
_LOCKED: Final = frozenset({ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT})
# A duplicate key means that another transaction inserted the same processed id, user, device or
# allocation after the snapshot; the next attempt sees it.
_CONFLICT: Final = _LOCKED | {ER.DUP_ENTRY}


class DatabaseUnavailableError(Exception):
    """The database cannot be reached or refuses writes; the statement is not at fault."""


class StaleSnapshotError(Exception):
    """A device got another holder between two statements; the transaction must run again."""


def is_unavailable(error: pymysql.MySQLError) -> bool:
    """Return whether an error means that the server is unavailable."""
    return isinstance(error, pymysql.InterfaceError) or _number(error) in _UNAVAILABLE


def is_lock_wait(error: Exception) -> bool:
    """Return whether another transaction, or DDL of a migration, has locked the rows."""
    return isinstance(error, StaleSnapshotError) or _number(error) in _LOCKED


def is_conflict(error: Exception) -> bool:
    """Return whether another transaction interfered, so that another attempt may succeed."""
    return isinstance(error, StaleSnapshotError) or _number(error) in _CONFLICT


def retry_on_conflict(transaction: Callable[[], T]) -> T:
    """Attempt a transaction up to three times, and return its result.

    Raises:
        pymysql.MySQLError, StaleSnapshotError: all attempts met a conflict, or an attempt failed
            with an error that a retry does not fix.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return transaction()
        except (StaleSnapshotError, pymysql.MySQLError) as error:
            if not is_conflict(error):
                raise
    return transaction()


def _number(error: Exception) -> int | None:
    return error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None
