"""Joins and leaves the line, each in one transaction under the lock of the user's row."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scheduler.allocation.idempotency import Keys
from scheduler.allocation.quota import room_for
from scheduler.allocation.refusal import Refusal, RefusedError, require_may_allocate
from scheduler.allocation.waiting import place as places
from scheduler.allocation.waiting.place import Place, PlaceStatus
from scheduler.allocation.waiting.serve import serve
from scheduler.database.commit import commit
from scheduler.domain.guard import Aggregate

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from scheduler.allocation.allocator import Wanted
    from scheduler.allocation.transactions import Transactions
    from scheduler.database.bulk import BulkCursor
    from scheduler.domain.work import Work
    from scheduler.settings import WaitingSettings

_JOIN: Final = """
    INSERT INTO waiting
        (id, user_id, priority, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


class WaitingLine:
    """The line before the pool. Not for use by several threads.

    ``nudge`` tells the dispatcher after a commit that there is something to tell.
    """

    def __init__(
        self, transactions: Transactions, settings: WaitingSettings, nudge: Callable[[], None]
    ) -> None:
        self._transactions = transactions
        self._strategy = settings.allocation_strategy
        self._patience = timedelta(minutes=settings.waiting_minutes)
        self._nudge = nudge

    def join(self, wanted: Wanted) -> str:
        """Give a user a place in line, and a device if one has become free meanwhile.

        Returns:
            The id of the place; the allocation it has led to, if it has, is of the same id. The
            key may also have led to an allocation without a place.

        Raises:
            RefusedError: his state or his quota, his other places counted, stands against it.
            KeyReusedError: the key belongs to another request.
            SnapshotMovedError, pymysql.MySQLError: others were faster, again and again.
            DatabaseUnavailableError: the database is away.
        """
        joined = self._transactions.run(lambda cursor: self._join(cursor, wanted))
        if isinstance(joined, str):
            return joined
        # Whoever freed a device since the pool was found empty may not have seen the place, but
        # what he committed is seen here.
        if self._transactions.run(lambda cursor: self._look_again(cursor, joined)):
            self._nudge()
        return joined.id

    def leave(self, place: Place) -> Place:
        """Give up a place; one that has ended stays as it is.

        Raises:
            SnapshotMovedError, pymysql.MySQLError: others were faster, again and again.
            DatabaseUnavailableError: the database is away.
        """
        return self._transactions.run(lambda cursor: self._leave(cursor, place))

    def _join(self, cursor: BulkCursor, wanted: Wanted) -> Place | str:
        work = self._transactions.lock(cursor, "", users=[wanted.user_id])
        keys = Keys(cursor, [wanted.key] if wanted.key else [])
        if before := keys.recall(wanted.key, wanted.content):
            return before
        _require_room(cursor, work, wanted)
        place = self._place(wanted, work.now)
        work.meet(Aggregate.USER, wanted.user_id)
        commit(cursor, work, [], self._transactions.new_id)
        _insert(cursor, place)
        keys.remember(wanted.key, wanted.content, place.id)
        keys.write(work.now)
        return place

    def _look_again(self, cursor: BulkCursor, place: Place) -> bool:
        work = self._transactions.lock(cursor, "")
        serve(cursor, work, [place], self._strategy)
        commit(cursor, work, [], self._transactions.new_id)
        return bool(work.grants)

    def _leave(self, cursor: BulkCursor, place: Place) -> Place:
        work = self._transactions.lock(cursor, "", users=[place.user_id])
        if _get(cursor, place.id).status is PlaceStatus.WAITING:
            places.end(cursor, [place.id], PlaceStatus.CANCELLED, work.now)
        return _get(cursor, place.id)

    def _place(self, wanted: Wanted, now: datetime) -> Place:
        return Place(
            self._transactions.new_id(),
            wanted.user_id,
            wanted.priority,
            wanted.minutes,
            wanted.wish,
            PlaceStatus.WAITING,
            now,
            now + self._patience,
        )


def _require_room(cursor: BulkCursor, work: Work, wanted: Wanted) -> None:
    user = work.user(wanted.user_id)
    require_may_allocate(user)
    room_for(work, user.id, wanted.wish)
    held = len(work.active_allocations(user=user.id))
    waiting = len(places.of_user(cursor, user.id))
    limit = user.quota.max_devices
    if held + waiting >= limit:
        details = {"quota": "devices", "limit": limit, "used": held, "waiting": waiting}
        raise RefusedError(Refusal.QUOTA_EXCEEDED, details)


def _get(cursor: BulkCursor, place_id: str) -> Place:
    found = places.find(cursor, place_id)
    if found is None:
        raise LookupError(f"place {place_id} has vanished")
    return found


def _insert(cursor: BulkCursor, place: Place) -> None:
    wish, times = place.wish, (place.created_at, place.expires_at)
    row = (place.id, place.user_id, place.priority, place.minutes)
    cursor.execute(_JOIN, (*row, wish.cpu_cores, wish.memory_mb, *times))
