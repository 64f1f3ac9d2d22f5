"""Classifies database errors by cause: the message, another transaction, or the environment.

Error numbers: https://mariadb.com/kb/en/mariadb-error-code-reference/. Of the classes of SQLSTATE,
22 is a bad value, 23 a violated constraint, 45 a signal of a trigger.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeVar

import pymysql
from pymysql.constants import ER

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_ATTEMPTS: Final = 3

_MESSAGE_STATES: Final = ("22", "23", "45")
# Bad values that the server reports with a general SQLSTATE, and rows that are too large to send.
_MESSAGE_ERRORS: Final = frozenset(
    {
        ER.CANT_AGGREGATE_2COLLATIONS,
        ER.CANT_AGGREGATE_3COLLATIONS,
        ER.CANT_AGGREGATE_NCOLLATIONS,
        ER.NET_PACKET_TOO_LARGE,
        ER.TRUNCATED_WRONG_VALUE_FOR_FIELD,
        ER.WARN_DATA_TRUNCATED,
        4025,  # ER_CONSTRAINT_FAILED
        4078,  # ER_ILLEGAL_PARAMETER_DATA_TYPES2_FOR_OPERATION
    }
)
_CLIENT_ERRORS: Final = range(2000, 3000)
"""Those of the connection. https://mariadb.com/kb/en/mariadb-error-code-reference/"""
_LOCK_WAIT: Final = ER.LOCK_WAIT_TIMEOUT
_CONFLICTS_WITHOUT_WAIT: Final = frozenset(
    {
        ER.LOCK_DEADLOCK,
        ER.CHECKREAD,
        # Other sessions have prepared all that the server allows; the next attempt needs none.
        ER.MAX_PREPARED_STMT_COUNT_REACHED,
    }
)


class DatabaseUnavailableError(Exception):
    """The database cannot be reached or does not work; the statement is not at fault."""


class StatementRefusedError(DatabaseUnavailableError):
    """The server works, but answered with an error that is the environment's.

    It may be caused by a part of what was to be written, such as a user with so many devices that
    the server's limits of a transaction do not suffice.
    """


class StaleSnapshotError(Exception):
    """Rows changed between reading and locking them; the transaction must run again."""


class Fault(Enum):
    """What made a statement fail."""

    MESSAGE = auto()
    """A value in the message: the same statement would fail again."""
    LOCK = auto()
    """Another transaction, or DDL of a migration, holds the rows, or other sessions a resource."""
    ENVIRONMENT = auto()
    """The server, its schema, its disk, its limits or the network: nothing in the message."""


def fault_of(error: Exception) -> Fault:
    """Return the cause of an error; an unknown server error counts as the environment's.

    Errors that are not MySQL errors come from our own code, which failed on the message.
    """
    if isinstance(error, StaleSnapshotError):
        return Fault.LOCK
    if not isinstance(error, pymysql.MySQLError):
        return Fault.MESSAGE
    number = _number(error)
    if number == _LOCK_WAIT or number in _CONFLICTS_WITHOUT_WAIT:
        return Fault.LOCK
    state = getattr(error, "sqlstate", None) or ""
    bad_value = isinstance(error, pymysql.DataError | pymysql.IntegrityError)
    if bad_value or number in _MESSAGE_ERRORS or state.startswith(_MESSAGE_STATES):
        return Fault.MESSAGE
    return Fault.ENVIRONMENT


def text_of(error: Exception) -> str:
    """Return what an error says; one of the driver is its number and a text, which comes first."""
    match error.args:
        case (int(number), str(text)) if isinstance(error, pymysql.MySQLError):
            return f"{text} (error {number})"
        case _:
            return str(error)


def is_unavailable(error: pymysql.MySQLError) -> bool:
    """Return whether an error is the environment's."""
    return fault_of(error) is Fault.ENVIRONMENT


def unavailable(error: pymysql.MySQLError) -> DatabaseUnavailableError:
    """Return the exception for an error that is the environment's."""
    number = _number(error)
    answered = bool(number) and number not in _CLIENT_ERRORS
    return (StatementRefusedError if answered else DatabaseUnavailableError)(text_of(error))


def is_outage(error: Exception) -> bool:
    """Return whether nothing can be written now, by whatever statements."""
    return isinstance(error, DatabaseUnavailableError) and not isinstance(
        error, StatementRefusedError
    )


def is_lock_wait(error: Exception) -> bool:
    """Return whether another transaction, or DDL of a migration, has locked the rows."""
    return fault_of(error) is Fault.LOCK


def is_conflict(error: Exception) -> bool:
    """Return whether another transaction interfered, so that another attempt may succeed.

    A duplicate key means that it inserted the same processed id, user, device or allocation after
    the snapshot; the next attempt sees it.
    """
    return is_lock_wait(error) or _number(error) == ER.DUP_ENTRY


def is_conflict_without_wait(error: Exception) -> bool:
    """Return the same, but False for a lock wait timeout: the next wait would time out, too."""
    return is_conflict(error) and _number(error) != _LOCK_WAIT


def retry_on_conflict(
    transaction: Callable[[], T], retries: Callable[[Exception], bool] = is_conflict
) -> T:
    """Attempt a transaction up to three times, and return its result.

    Args:
        transaction: one attempt.
        retries: tells whether another attempt may succeed after an error.

    Raises:
        pymysql.MySQLError, StaleSnapshotError: all attempts met a conflict, or an attempt failed
            with an error that a retry does not fix.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return transaction()
        except (StaleSnapshotError, pymysql.MySQLError) as error:
            if not retries(error):
                raise
    return transaction()


def _number(error: Exception) -> int | None:
    return error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None
