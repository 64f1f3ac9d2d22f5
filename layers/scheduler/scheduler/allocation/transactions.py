"""What every change of allocations needs: a transaction on locked rows, run again if overtaken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from scheduler.database import load
from scheduler.database.retry import run_again_when_overtaken
from scheduler.domain.work import Work
from scheduler.ids import NewId, uuid7

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from scheduler.database.bulk import BulkCursor
    from scheduler.database.connection import Database
    from scheduler.domain.model import Quota

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Transactions:
    """One execution environment's. Not for use by several threads."""

    database: Database
    default_quota: Quota
    """What a user nobody has heard of may hold."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: NewId = uuid7

    def run(self, change: Callable[[BulkCursor], T]) -> T:
        """Return what a change returns that is committed.

        Raises:
            SnapshotMovedError, pymysql.MySQLError: others were faster, again and again.
            DatabaseUnavailableError: the database is away.
        """

        def once() -> T:
            with self.database.transaction() as cursor:
                return change(cursor)

        return run_again_when_overtaken(once)

    def lock(
        self,
        cursor: BulkCursor,
        actor: str,
        *,
        users: Collection[str] = (),
        devices: Collection[str] = (),
    ) -> Work:
        """Lock users with what they hold, and devices with who holds them; return the work on them.

        Args:
            cursor: of the transaction.
            actor: who asks for the changes, for the history.
            users: ids.
            devices: ids.
        """
        snapshot = load.snapshot(cursor, users, devices)
        # Only now: whoever held the locks before has committed earlier than this.
        return Work(snapshot, self.clock(), self.default_quota, actor=actor)
