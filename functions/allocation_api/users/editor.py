"""Changes a user as an administrator asks for: quota, contact, locale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocation_api.users import queries
from scheduler.domain.guard import Aggregate
from scheduler.domain.quota import take_back_above
from scheduler.domain.refusal import require_existing
from scheduler.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.domain.work import Work
    from scheduler.unit_of_work import UnitOfWork, UnitsOfWork

_QUOTA: Final = ("max_devices", "max_cpu", "max_memory_mb")


class UserEditor:
    """Changes users, and creates those who do not exist yet."""

    def __init__(self, units: UnitsOfWork) -> None:
        self._units = units

    def change(self, user_id: str, change: Mapping[str, Any], actor: str) -> None:
        """Store a change by column; a quota below what the user holds takes back the oldest.

        Args:
            user_id: the user.
            change: new values by column.
            actor: who asks, for the history.

        Raises:
            RefusedError: the user was deleted.
            SnapshotMovedError, pymysql.MySQLError: transaction conflicts exhausted the retries.
            DatabaseUnavailableError: the database is unavailable.
        """
        self._units.run(lambda unit: _change(unit, user_id, change, actor))


def _change(unit: UnitOfWork, user_id: str, change: Mapping[str, Any], actor: str) -> None:
    work = unit.lock(users=[user_id], actor=actor)
    require_existing(work.user(user_id))
    work.begin(f"api:{uuid7()}")
    work.ensure_exists(Aggregate.USER, user_id)
    _apply_quota(work, user_id, {name: change[name] for name in _QUOTA if name in change})
    unit.also(lambda: queries.set_contact(unit.cursor, user_id, change))


def _apply_quota(work: Work, user_id: str, change: Mapping[str, Any]) -> None:
    if change:
        quota = work.user(user_id).quota._replace(**change)
        work.set_quota(user_id, quota)
        take_back_above(work, user_id, quota.max_devices)
