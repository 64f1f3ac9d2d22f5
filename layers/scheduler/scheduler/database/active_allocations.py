"""Searches for active allocations that a job works on, page by page in order of expiry."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from scheduler.domain.model import BROKEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymysql.cursors import Cursor

ALLOCATIONS_PER_TRANSACTION: Final = 500
"""Allocations per transaction: it lasts a fraction of a second, and so do its locks."""

_PAGE: Final = """
    SELECT a.id, a.user_id, a.device_id, a.expires_at
    FROM allocations a FORCE INDEX (due_expiry) {joins}
    WHERE a.status = 'ALLOCATED' AND {condition}
        AND a.expires_at >= %(after)s AND (a.expires_at > %(after)s OR a.id > %(after_id)s)
    ORDER BY a.expires_at, a.id LIMIT %(limit)s
"""
_RECHECK: Final = """
    SELECT a.id, a.user_id, a.device_id, a.expires_at FROM allocations a {joins}
    WHERE a.status = 'ALLOCATED' AND {condition} AND a.id IN %(ids)s
    ORDER BY a.expires_at, a.id
"""
# The dedupe key that `Work.warn_of_expiry` gives the warning, in the column's own character set:
# only then is it looked up in the index.
_JOIN_WARNING: Final = """
    LEFT JOIN notifications told ON told.dedupe_key = CONVERT(
        CONCAT('allocation_expiring_soon:', a.id, ':',
               DATE_FORMAT(a.expires_at, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f'))
        USING ascii) COLLATE ascii_bin
"""
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class FoundAllocation(NamedTuple):
    """An active allocation that a search found."""

    id: str
    user_id: str
    device_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AllocationSearch:
    """A condition on active allocations ``a``, with the joins and parameters it needs."""

    condition: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    joins: str = ""

    @classmethod
    def expired(cls, now: datetime) -> Self:
        """Find allocations whose time is over."""
        return cls("a.expires_at <= %(now)s", {"now": now})

    @classmethod
    def ending_unannounced(cls, now: datetime, until: datetime) -> Self:
        """Find allocations that end until a time and whose users were not warned of it."""
        condition = "a.expires_at > %(now)s AND a.expires_at <= %(until)s AND told.id IS NULL"
        return cls(condition, {"now": now, "until": until}, _JOIN_WARNING)

    @classmethod
    def of_blocked_users(cls) -> Self:
        """Find what suspended, held or deleted users hold."""
        condition = "(u.status <> 'active' OR u.billing_hold)"
        return cls(condition, joins="JOIN users u ON u.id = a.user_id")

    @classmethod
    def of_broken_devices(cls) -> Self:
        """Find devices that do not work though a user holds them."""
        joins = "JOIN devices d ON d.id = a.device_id"
        return cls("d.health IN %(broken)s", {"broken": tuple(sorted(BROKEN))}, joins)

    def page(self, cursor: Cursor, after: FoundAllocation | None) -> list[FoundAllocation]:
        """Return the next ones in order of expiry, at most `ALLOCATIONS_PER_TRANSACTION`."""
        position = {
            "after": after.expires_at if after else _LONG_AGO,
            "after_id": after.id if after else "",
            "limit": ALLOCATIONS_PER_TRANSACTION,
        }
        return self._select(cursor, _PAGE, position)

    def recheck(self, cursor: Cursor, ids: Sequence[str]) -> list[FoundAllocation]:
        """Return those of the given allocations that still meet the condition."""
        return self._select(cursor, _RECHECK, {"ids": ids}) if ids else []

    def _select(
        self, cursor: Cursor, template: str, more: Mapping[str, object]
    ) -> list[FoundAllocation]:
        statement = template.format(joins=self.joins, condition=self.condition)
        cursor.execute(statement, {**self.parameters, **more})
        return [FoundAllocation(*row) for row in cursor.fetchall()]
