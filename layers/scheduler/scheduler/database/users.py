"""Users: statements on the table ``users`` that need no unit of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_DELETED: Final = "SELECT 1 FROM users WHERE id = %s AND status = 'deleted'"


def is_deleted(cursor: Cursor, user_id: str) -> bool:
    """Return whether a user was deleted; an unknown user was not."""
    return cursor.execute(_DELETED, (user_id,)) > 0
