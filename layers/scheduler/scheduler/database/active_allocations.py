"""Searches of housekeeping jobs for active allocations, page by page.

What is due is searched in order of expiry; what contradicts other rows, within a part of a walk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from scheduler.database.times import EPOCH
from scheduler.domain.model import BROKEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.walks import Part

ALLOCATIONS_PER_TRANSACTION: Final = 500
"""Few enough that a transaction, and its locks, last a fraction of a second."""

_PAGE: Final = """
    SELECT a.id, a.user_id, a.device_id, a.expires_at
    FROM allocations a FORCE INDEX (due_expiry) {joins}
    WHERE a.status = 'ALLOCATED' AND {condition}
        AND a.expires_at >= %(after)s AND (a.expires_at > %(after)s OR a.id > %(after_id)s)
    ORDER BY a.expires_at, a.id LIMIT %(limit)s
"""
_PAGE_OF_PART: Final = """
    SELECT STRAIGHT_JOIN a.id, a.user_id, a.device_id, a.expires_at
    FROM allocations a FORCE INDEX (one_holder_per_device) {joins}
    WHERE a.active_device_id > %(after_device)s AND a.active_device_id <= %(until_device)s
        AND {condition}
    ORDER BY a.active_device_id LIMIT %(limit)s
"""
_RECHECK: Final = """
    SELECT a.id, a.user_id, a.device_id, a.expires_at
    FROM allocations a FORCE INDEX (PRIMARY) {joins}
    WHERE a.status = 'ALLOCATED' AND {condition} AND a.id IN %(ids)s
    ORDER BY a.expires_at, a.id
"""
# The dedupe key that `Work.warn_of_expiry` gives the warning, in the character set of the column:
# otherwise the index is not used.
_JOIN_WARNING: Final = """
    LEFT JOIN notifications warning ON warning.dedupe_key = CONVERT(
        CONCAT('allocation_expiring_soon:', a.id, ':',
               DATE_FORMAT(a.expires_at, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f'))
        USING ascii) COLLATE ascii_bin
"""


class FoundAllocation(NamedTuple):
    """An active allocation that a search found."""

    id: str
    user_id: str
    device_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AllocationSearch:
    """A condition on active allocations (alias ``a``), with its joins and parameters."""

    condition: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    joins: str = ""
    part: Part | None = None

    @classmethod
    def expired(cls, now: datetime) -> Self:
        """Find expired allocations."""
        return cls("a.expires_at <= %(now)s", {"now": now})

    @classmethod
    def ending_unannounced(cls, now: datetime, until: datetime) -> Self:
        """Find allocations that end by a time and whose users were not warned of that end."""
        condition = "a.expires_at > %(now)s AND a.expires_at <= %(until)s AND warning.id IS NULL"
        return cls(condition, {"now": now, "until": until}, _JOIN_WARNING)

    @classmethod
    def of_blocked_users(cls, part: Part) -> Self:
        """Find allocations of suspended or deleted users, and of users on billing hold."""
        condition = "(u.status <> 'active' OR u.billing_hold)"
        return cls(condition, joins="JOIN users u ON u.id = a.user_id", part=part)

    @classmethod
    def of_broken_devices(cls, part: Part) -> Self:
        """Find allocations of broken devices."""
        joins = "JOIN devices d ON d.id = a.device_id"
        return cls("d.health IN %(broken)s", {"broken": tuple(sorted(BROKEN))}, joins, part)

    def page(self, cursor: Cursor, after: FoundAllocation | None) -> list[FoundAllocation]:
        """Return up to `ALLOCATIONS_PER_TRANSACTION` allocations that follow ``after``."""
        position = {
            "after": after.expires_at if after else EPOCH,
            "after_id": after.id if after else "",
            "limit": ALLOCATIONS_PER_TRANSACTION,
        }
        if self.part is None:
            return self._select(cursor, _PAGE, position)
        position |= {
            "after_device": after.device_id if after else self.part.after,
            "until_device": self.part.until,
        }
        return self._select(cursor, _PAGE_OF_PART, position)

    def recheck(self, cursor: Cursor, ids: Sequence[str]) -> list[FoundAllocation]:
        """Return which of some allocations still meet the condition."""
        return self._select(cursor, _RECHECK, {"ids": ids}) if ids else []

    def _select(
        self, cursor: Cursor, template: str, more: Mapping[str, object]
    ) -> list[FoundAllocation]:
        statement = template.format(joins=self.joins, condition=self.condition)
        cursor.execute(statement, {**self.parameters, **more})
        return [FoundAllocation(*row) for row in cursor.fetchall()]
