"""Runs a transaction again when another one was faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import pymysql
from pymysql.constants import ER

from scheduler.database.load import SnapshotMovedError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_TRIES: Final = 3

# A duplicate key means that somebody inserted the same processed id, user, device or allocation
# since our snapshot; the next run sees it.
_WAITING: Final = frozenset({ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT})
_OVERTAKEN: Final = _WAITING | {ER.DUP_ENTRY}


def is_overtaken(error: pymysql.MySQLError) -> bool:
    """Tell whether another transaction was faster, so that running again may succeed."""
    return bool(error.args) and error.args[0] in _OVERTAKEN


def is_waiting(error: Exception) -> bool:
    """Tell whether somebody else holds the rows (or, in a migration, the table)."""
    if isinstance(error, SnapshotMovedError):
        return True
    is_sql = isinstance(error, pymysql.MySQLError) and bool(error.args)
    return is_sql and error.args[0] in _WAITING


def run_again_when_overtaken(transaction: Callable[[], T]) -> T:
    """Return what the transaction returns, after at most three runs.

    Raises:
        pymysql.MySQLError, SnapshotMovedError: what the third run raised, or at once an error
            that running again does not mend.
    """
    for _ in range(_TRIES - 1):
        try:
            return transaction()
        except SnapshotMovedError:
            continue
        except pymysql.MySQLError as error:
            if not is_overtaken(error):
                raise
    return transaction()
