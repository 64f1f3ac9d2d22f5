"""Allocates and releases: each in one transaction, locks in the order users, devices."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from scheduler.allocation import idempotency, record
from scheduler.allocation.pick import PoolContendedError, pick
from scheduler.allocation.quota import Wish, room_for
from scheduler.allocation.refusal import require_may_allocate
from scheduler.database import load
from scheduler.database.commit import commit
from scheduler.database.retry import run_again_when_overtaken
from scheduler.domain.guard import Aggregate
from scheduler.domain.model import Quota
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.work import Work
from scheduler.ids import NewId, uuid7

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymysql.cursors import Cursor

    from scheduler.allocation.record import AllocationRecord
    from scheduler.database.connection import Database
    from scheduler.settings import AllocationSettings


_PAUSES: Final = (0.01, 0.02, 0.04, 0.08, 0.16, *(0.32,) * 40)
"""Seconds between the tries for a device whose row others hold; over before a request times out."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for a device; with a key it may be repeated without effect."""

    user_id: str
    minutes: int
    wish: Wish
    idempotency_key: str | None = None

    @property
    def content(self) -> dict[str, object]:
        """Return what makes the request the same one again."""
        wish = self.wish
        return {"minutes": self.minutes, "cpu": wish.cpu_cores, "memory": wish.memory_mb}


class Allocator:
    """Gives devices to users and takes them back. Not for use by several threads.

    ``nudge`` tells the dispatcher after a commit that there is something to tell.
    """

    def __init__(
        self,
        database: Database,
        settings: AllocationSettings,
        nudge: Callable[[], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: NewId = uuid7,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._strategy = settings.allocation_strategy
        self._default_quota = Quota(settings.default_max_devices)
        self._nudge = nudge
        self._clock = clock
        self._new_id = new_id
        self._sleep = sleep

    def allocate(self, wanted: Wanted) -> AllocationRecord:
        """Give a user a device; one nobody has heard of becomes known with the default quota.

        Raises:
            RefusedError: his state, his quota or the pool stands against it.
            KeyReusedError: the key belongs to another request.
            PoolContendedError, SnapshotMovedError, pymysql.MySQLError: others were faster, again
                and again.
            DatabaseUnavailableError: the database is away.
        """
        allocation = self._allocate_patiently(wanted)
        self._nudge()
        return allocation

    def release(self, allocation: AllocationRecord) -> AllocationRecord:
        """End an allocation because its user asked for it; one that has ended stays as it is.

        Raises:
            SnapshotMovedError, pymysql.MySQLError: others were faster, again and again.
            DatabaseUnavailableError: the database is away.
        """
        released = run_again_when_overtaken(lambda: self._release(allocation))
        self._nudge()
        return released

    def _allocate_patiently(self, wanted: Wanted) -> AllocationRecord:
        for pause in _PAUSES:
            try:
                return run_again_when_overtaken(lambda: self._allocate(wanted))
            except PoolContendedError:
                # Without any lock, and not in step with the others.
                self._sleep(random.uniform(pause / 2, pause))  # noqa: S311 - no secret
        return run_again_when_overtaken(lambda: self._allocate(wanted))

    def _allocate(self, wanted: Wanted) -> AllocationRecord:
        with self._database.transaction() as cursor:
            work = self._lock(cursor, users=[wanted.user_id])
            allocation_id = _recall(cursor, wanted) or self._give(cursor, work, wanted)
            return _get(cursor, allocation_id)

    def _give(self, cursor: Cursor, work: Work, wanted: Wanted) -> str:
        require_may_allocate(work.user(wanted.user_id))
        room = room_for(work, wanted.user_id, wanted.wish)
        device = pick(cursor, self._strategy, wanted.wish, room)
        allocation_id = self._new_id()
        work.meet(Aggregate.USER, wanted.user_id)
        until = work.now + timedelta(minutes=wanted.minutes)
        work.allocate(allocation_id, wanted.user_id, device, until)
        commit(cursor, work, [], self._new_id)
        if key := wanted.idempotency_key:
            content = wanted.content
            idempotency.remember(cursor, wanted.user_id, key, content, allocation_id, work.now)
        return allocation_id

    def _release(self, allocation: AllocationRecord) -> AllocationRecord:
        with self._database.transaction() as cursor:
            work = self._lock(cursor, devices=[allocation.device_id])
            for active in work.active_allocations(device=allocation.device_id):
                if active.id == allocation.id:
                    work.release(active, ReleaseReason.user_request())
                    commit(cursor, work, [], self._new_id)
            return _get(cursor, allocation.id)

    def _lock(self, cursor: Cursor, users: Sequence[str] = (), devices: Sequence[str] = ()) -> Work:
        snapshot = load.snapshot(cursor, users, devices)
        # Only now: whoever held the locks before has committed earlier than this.
        return Work(snapshot, self._clock(), self._default_quota)


def _recall(cursor: Cursor, wanted: Wanted) -> str | None:
    key = wanted.idempotency_key
    return idempotency.recall(cursor, wanted.user_id, key, wanted.content) if key else None


def _get(cursor: Cursor, allocation_id: str) -> AllocationRecord:
    found = record.find(cursor, allocation_id)
    if found is None:
        raise LookupError(f"allocation {allocation_id} has vanished")
    return found
