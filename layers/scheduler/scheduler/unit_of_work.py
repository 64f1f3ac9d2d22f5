"""The unit of work of pipeline, API and housekeeping: lock → decide → commit → nudge.

A change is a function that receives a `UnitOfWork`. It locks users and devices and records its
changes in the returned `Work`. The rest happens here, so that no caller can forget it: freed
devices are handed to waiting users, everything is written in one transaction, the change runs
again after a conflict, and the notification dispatcher is nudged after the commit.

If the rows of a waiting user are refused or locked, the change runs again without the hand-over:
a release must not fail because of another user. Housekeeping serves the waiting users.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from scheduler.database import load
from scheduler.database.commit import commit
from scheduler.database.errors import is_conflict, is_conflict_without_wait, is_outage
from scheduler.domain.work import Work
from scheduler.hand_over import hand_over
from scheduler.ids import NewId, uuid7
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from scheduler.database.connection import Database
    from scheduler.database.cursor import BulkCursor
    from scheduler.database.processed_messages import ProcessedMessage
    from scheduler.domain.model import Quota
    from scheduler.domain.state import Snapshot

T = TypeVar("T")
D = TypeVar("D")

_logger: Final = service_logger()


@dataclass(frozen=True, slots=True)
class UnitsOfWork:
    """Runs units of work on the database of one execution environment. Not thread-safe."""

    database: Database
    default_quota: Quota
    """The quota of users without a row."""
    nudge: Callable[[], None]
    """Wakes the notification dispatcher; never raises."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: NewId = uuid7

    def run(
        self,
        change: Callable[[UnitOfWork], T],
        retries: Callable[[Exception], bool] = is_conflict,
    ) -> T:
        """Run a change, commit it, and return its result.

        Args:
            change: decides what is written; may run several times.
            retries: which errors count as a conflict, after which the change runs again.

        Raises:
            DatabaseUnavailableError: the database is unavailable.
            pymysql.MySQLError, StaleSnapshotError: a statement was refused, or conflicts
                exhausted the retries.
        """
        return self.run_and_read(change, lambda _cursor, result: result, retries)

    def run_and_read(
        self,
        change: Callable[[UnitOfWork], D],
        read: Callable[[BulkCursor, D], T],
        retries: Callable[[Exception], bool] = is_conflict,
    ) -> T:
        """Run a change as `run` does, and return what ``read`` reads between writes and commit.

        Raises:
            DatabaseUnavailableError, pymysql.MySQLError, StaleSnapshotError: as for `run`.
        """
        units: list[UnitOfWork] = []

        def attempt(cursor: BulkCursor, *, serves_waiting: bool = True) -> T:
            unit = UnitOfWork(self, cursor)
            units.append(unit)
            decided = change(unit)
            unit.write(serves_waiting=serves_waiting)
            return read(cursor, decided)

        def runs_again(error: Exception) -> bool:
            # A locked row of a waiting user is not waited for again.
            handed_over = units[-1].has_handed_over and not is_conflict_without_wait(error)
            return retries(error) and not handed_over

        try:
            result = self.database.run(attempt, runs_again)
        except Exception as error:
            if not units or not units[-1].has_handed_over or is_outage(error):
                raise
            _logger.warning("Waiting users are left to housekeeping", exc_info=error)
            result = self.database.run(partial(attempt, serves_waiting=False), retries)
        if units[-1].needs_dispatch:
            self.nudge()
        return result


class UnitOfWork:
    """One attempt at a change: its transaction, and the work on the locked rows."""

    def __init__(self, units: UnitsOfWork, cursor: BulkCursor) -> None:
        self.cursor = cursor
        self._units = units
        self._work: Work | None = None
        self._processed: Sequence[ProcessedMessage] = ()
        self._writes: list[Callable[[], None]] = []
        self._meanwhile: list[Callable[[], None]] = []
        self._decided_grants: int | None = None

    def lock(
        self, *, users: Collection[str] = (), devices: Collection[str] = (), actor: str = ""
    ) -> Work:
        """Lock users with what they hold, and devices with their holders; return the work on them.

        Args:
            users: ids.
            devices: ids.
            actor: who requests the change, for the history, such as ``user:u1``.

        Raises:
            StaleSnapshotError: a device was allocated to another user before it was locked.
        """
        return self.begin(load.lock_snapshot(self.cursor, users, devices), actor=actor)

    def lock_users_skip_locked(self, users: Collection[str]) -> Work:
        """Lock users, skip those that another transaction has locked, and return the work."""
        return self.begin(load.lock_users_skip_locked(self.cursor, users))

    def begin(
        self,
        snapshot: Snapshot,
        *,
        actor: str = "",
        payment_failures: Mapping[str, int] | None = None,
        notified: Collection[str] = (),
    ) -> Work:
        """Return the work on locked rows; called once per unit. For the arguments see `Work`.

        The clock is read after locking, so that the time is later than any commit that the locks
        waited for.
        """
        now, quota = self._units.clock(), self._units.default_quota
        self._work = Work(snapshot, now, quota, payment_failures, actor, notified)
        return self._work

    def new_id(self) -> str:
        """Return a new id."""
        return self._units.new_id()

    def mark_processed(self, messages: Sequence[ProcessedMessage]) -> None:
        """Store messages with their effects, so that each is applied once."""
        self._processed = messages

    def add_write(self, write: Callable[[], None]) -> None:
        """Add a write that runs after those of the work; it must not read.

        It is dropped unless `begin` or a `lock` was called.
        """
        self._writes.append(write)

    def meanwhile(self, work: Callable[[], None]) -> None:
        """Add work without I/O that runs while the database executes the writes.

        It is dropped as a write is; what it prepares must not be used unless `run` returns.
        """
        self._meanwhile.append(work)

    @property
    def needs_dispatch(self) -> bool:
        """Return whether the unit leaves notifications or events for the dispatcher to send."""
        work = self._work
        return work is not None and bool(
            work.notices or work.releases or work.grants or work.extensions
        )

    @property
    def has_handed_over(self) -> bool:
        """Return whether a freed device was allocated to a waiting user, committed or not."""
        work, decided = self._work, self._decided_grants
        return work is not None and decided is not None and len(work.grants) > decided

    def write(self, *, serves_waiting: bool) -> None:
        """Hand freed devices to waiting users, and write all recorded changes.

        Args:
            serves_waiting: False leaves the waiting users to housekeeping.
        """
        work = self._work
        if work is None:
            return
        self._decided_grants = len(work.grants)
        hand_over(self.cursor, work, serves_waiting=serves_waiting)
        with self.cursor.pipelined():
            commit(self.cursor, work, self._processed, self._units.new_id)
            for step in (*self._writes, *self._meanwhile):
                step()
