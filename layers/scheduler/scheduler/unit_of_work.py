"""The unit of work of pipeline, API and housekeeping: lock → decide → commit → nudge.

A change is a function that receives a `UnitOfWork`. It locks users and devices and records its
changes in the returned `Work`. The rest happens here, so that no caller can forget it: freed
devices are handed to waiting users, everything is written in one transaction, the change runs
again after a conflict, and the notification dispatcher is nudged after the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from scheduler.database import load
from scheduler.database.commit import commit
from scheduler.database.errors import is_conflict
from scheduler.domain.work import Work
from scheduler.hand_over import hand_over
from scheduler.ids import NewId, uuid7

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from scheduler.database.connection import Database
    from scheduler.database.cursor import BulkCursor
    from scheduler.database.processed_messages import ProcessedMessage
    from scheduler.domain.model import Quota
    from scheduler.domain.state import Snapshot

T = TypeVar("T")
D = TypeVar("D")


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

        def attempt(cursor: BulkCursor) -> tuple[T, UnitOfWork]:
            unit = UnitOfWork(self, cursor)
            decided = change(unit)
            unit.write()
            return read(cursor, decided), unit

        result, unit = self.database.run(attempt, retries)
        if unit.needs_dispatch:
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
    ) -> Work:
        """Return the work on locked rows; called once per unit.

        The clock is read after locking, so that the time is later than any commit that the locks
        waited for.
        """
        now, quota = self._units.clock(), self._units.default_quota
        self._work = Work(snapshot, now, quota, payment_failures, actor)
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

    @property
    def needs_dispatch(self) -> bool:
        """Return whether the unit leaves notifications or events for the dispatcher to send."""
        work = self._work
        return work is not None and bool(
            work.notices or work.releases or work.grants or work.extensions
        )

    def write(self) -> None:
        """Hand freed devices to waiting users, and write all recorded changes."""
        work = self._work
        if work is None:
            return
        hand_over(self.cursor, work)
        with self.cursor.pipelined():
            commit(self.cursor, work, self._processed, self._units.new_id)
            for write in self._writes:
                write()
