"""Searches for active allocations, page by page in order of expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymysql.cursors import Cursor

CHUNK: Final = 500
"""Allocations a transaction: it lasts a fraction of a second, and so do its locks."""

_PAGE: Final = """
    SELECT a.id, a.user_id, a.device_id, a.expires_at
    FROM allocations a FORCE INDEX (due_expiry) {joins}
    WHERE a.status = 'ALLOCATED' AND {condition}
        AND a.expires_at >= %(after)s AND (a.expires_at > %(after)s OR a.id > %(after_id)s)
    ORDER BY a.expires_at, a.id LIMIT %(limit)s
"""
_AGAIN: Final = """
    SELECT a.id, a.user_id, a.device_id, a.expires_at FROM allocations a {joins}
    WHERE a.status = 'ALLOCATED' AND {condition} AND a.id IN %(ids)s
    ORDER BY a.expires_at, a.id
"""


_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Found(NamedTuple):
    """An allocation that a search found; the time in UTC."""

    id: str
    user_id: str
    device_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Search:
    """A condition on active allocations ``a``, with the joins and parameters it needs."""

    condition: str
    parameters: Mapping[str, object]
    joins: str = ""

    def page(self, cursor: Cursor, after: Found | None) -> list[Found]:
        """Return the next ones in order of expiry, at most `CHUNK`."""
        position = {
            "after": after.expires_at if after else _LONG_AGO,
            "after_id": after.id if after else "",
            "limit": CHUNK,
        }
        return self._select(cursor, _PAGE, position)

    def again(self, cursor: Cursor, ids: Sequence[str]) -> list[Found]:
        """Return those of the given ones that are still found."""
        return self._select(cursor, _AGAIN, {"ids": ids}) if ids else []

    def _select(self, cursor: Cursor, template: str, more: Mapping[str, object]) -> list[Found]:
        statement = template.format(joins=self.joins, condition=self.condition)
        cursor.execute(statement, {**self.parameters, **more})
        return [_found(*row) for row in cursor.fetchall()]


def _found(id_: str, user_id: str, device_id: str, expires_at: datetime) -> Found:
    return Found(id_, user_id, device_id, expires_at)
