"""Users: statements on the table ``users`` that need no unit of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.domain.model import UserStatus

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_DELETED: Final = "SELECT 1 FROM users WHERE id = %s AND status = 'deleted'"
_STATUS: Final = "SELECT status FROM users WHERE id = %s"


def is_deleted(cursor: Cursor, user_id: str) -> bool:
    """Return whether a user was deleted; an unknown user was not."""
    return cursor.execute(_DELETED, (user_id,)) > 0


def find_status(cursor: Cursor, user_id: str) -> UserStatus | None:
    """Return the status of a user; None if the user is unknown."""
    cursor.execute(_STATUS, (user_id,))
    row = cursor.fetchone()
    return UserStatus(row[0]) if row else None
