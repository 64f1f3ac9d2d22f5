"""Users: statements on the table ``users`` that need no unit of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_DELETED: Final = "SELECT 1 FROM users WHERE id = %s AND status = 'deleted'"
_KNOWN: Final = "SELECT 1 FROM users WHERE id = %s"


def is_deleted(cursor: Cursor, user_id: str) -> bool:
    """Return whether a user was deleted; an unknown user was not."""
    return cursor.execute(_DELETED, (user_id,)) > 0


def is_known(cursor: Cursor, user_id: str) -> bool:
    """Return whether a user has a row, which an event, an administrator or an allocation made."""
    return cursor.execute(_KNOWN, (user_id,)) > 0
