"""What the jobs work with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from scheduler.allocation.waiting.hand_over import hand_over
from scheduler.database.commit import commit
from scheduler.database.connection import Database
from scheduler.database.retry import run_again_when_overtaken
from scheduler.domain.model import Quota
from scheduler.domain.work import Work
from scheduler.ids import NewId, uuid7
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from housekeeping.settings import HousekeepingSettings
    from scheduler.database.bulk import BulkCursor
    from scheduler.domain.state import Snapshot


@dataclass(frozen=True, slots=True)
class Tools:
    """One execution environment's: settings, connections, clock. Not for use by several threads."""

    settings: HousekeepingSettings
    database: Database
    nudge: Callable[[], None]
    """Tells the dispatcher that there is work; never raises."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: NewId = uuid7

    @classmethod
    def of(cls, settings: HousekeepingSettings) -> Self:
        """Return the tools of a deployed function."""
        return cls(settings, Database(settings), Nudge(Publisher(settings)).send)

    def work(self, snapshot: Snapshot) -> Work:
        """Return the work on what was just locked: from now on, nobody else changes it."""
        return Work(snapshot, self.clock(), Quota(self.settings.default_max_devices))

    def change(self, decide: Callable[[BulkCursor], Work]) -> Work:
        """Run a transaction that locks, decides and commits what was decided; users are told.

        Raises:
            DatabaseUnavailableError: the database is away.
            pymysql.MySQLError, SnapshotMovedError: a statement was refused, or others were
                faster three times.
        """

        def run() -> Work:
            with self.database.transaction() as cursor:
                work = decide(cursor)
                hand_over(cursor, work)
                commit(cursor, work, [], self.new_id)
            return work

        work = run_again_when_overtaken(run)
        if work.notices or work.releases:
            self.nudge()
        return work
