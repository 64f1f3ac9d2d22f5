"""Changes a user as an administrator asks for: quota, contact, locale."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from allocation_api.users import queries
from scheduler.allocation.quota import take_back_above
from scheduler.allocation.refusal import require_existing
from scheduler.allocation.waiting.hand_over import hand_over
from scheduler.database import load
from scheduler.database.commit import commit
from scheduler.database.retry import run_again_when_overtaken
from scheduler.domain.guard import Aggregate
from scheduler.domain.model import Quota
from scheduler.domain.work import Work
from scheduler.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scheduler.database.connection import Database
    from scheduler.settings import QuotaSettings

_QUOTA: Final = ("max_devices", "max_cpu", "max_memory_mb")


class UserEditor:
    """Changes users, and makes those who are not there yet.

    Args:
        database: its own transactions' connection.
        settings: what a user nobody has heard of may hold.
        nudge: tells the dispatcher after a commit that there may be something to tell.
    """

    def __init__(
        self, database: Database, settings: QuotaSettings, nudge: Callable[[], None]
    ) -> None:
        self._database = database
        self._nudge = nudge
        self._default_quota = Quota(settings.default_max_devices)

    def change(self, user_id: str, change: Mapping[str, Any], actor: str) -> None:
        """Store a change by column; a quota below what the user holds takes back the oldest.

        ``actor`` is who asks, for the history.

        Raises:
            RefusedError: the user was deleted.
            SnapshotMovedError, pymysql.MySQLError: others were faster, again and again.
            DatabaseUnavailableError: the database is away.
        """
        run_again_when_overtaken(lambda: self._change(user_id, change, actor))
        self._nudge()

    def _change(self, user_id: str, change: Mapping[str, Any], actor: str) -> None:
        with self._database.transaction() as cursor:
            snapshot = load.snapshot(cursor, [user_id], [])
            work = Work(snapshot, datetime.now(UTC), self._default_quota, actor=actor)
            require_existing(work.user(user_id))
            work.begin(f"api:{uuid7()}")
            work.meet(Aggregate.USER, user_id)
            _apply_quota(work, user_id, {n: change[n] for n in _QUOTA if n in change})
            hand_over(cursor, work)
            commit(cursor, work, [], uuid7)
            queries.set_contact(cursor, user_id, change)


def _apply_quota(work: Work, user_id: str, change: Mapping[str, Any]) -> None:
    if change:
        quota = work.user(user_id).quota._replace(**change)
        work.set_quota(user_id, quota)
        take_back_above(work, user_id, quota.max_devices)
