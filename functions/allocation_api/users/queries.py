"""What is read of users, and the contact data, which no event knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymysql.cursors import Cursor


class UserRow(NamedTuple):
    """A user and how many devices he holds."""

    id: str
    status: str
    billing_hold: bool
    max_devices: int
    max_cpu: int | None
    max_memory_mb: int | None
    email: str | None
    phone: str | None
    locale: str
    active_devices: int


_ONE: Final = """
    SELECT u.id, u.status, u.billing_hold, u.max_devices, u.max_cpu, u.max_memory_mb,
           u.email, u.phone, u.locale,
           (SELECT COUNT(*) FROM allocations a WHERE a.user_id = u.id AND a.status = 'ALLOCATED')
    FROM users u WHERE u.id = %s
"""
_CONTACT: Final = "UPDATE users SET {assignments} WHERE id = %s"
_CONTACT_COLUMNS: Final = ("email", "phone", "locale")


def find(cursor: Cursor, user_id: str) -> UserRow | None:
    """Return one user; None if nobody has heard of him."""
    cursor.execute(_ONE, (user_id,))
    row = cursor.fetchone()
    return UserRow(*row) if row else None


def set_contact(cursor: Cursor, user_id: str, change: Mapping[str, Any]) -> None:
    """Store those of e-mail, phone and locale that are in the change."""
    changed = [column for column in _CONTACT_COLUMNS if column in change]
    if changed:
        statement = _CONTACT.format(assignments=", ".join(f"{name} = %s" for name in changed))
        cursor.execute(statement, (*(change[name] for name in changed), user_id))
