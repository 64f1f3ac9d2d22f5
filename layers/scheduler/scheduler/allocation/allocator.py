"""Gives devices to users: any number of them in one transaction of a few statements."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from scheduler.allocation import record
from scheduler.allocation.idempotency import Key, KeyReusedError, Keys
from scheduler.allocation.pick import PoolContendedError, Stock
from scheduler.allocation.quota import Wish, room_for
from scheduler.allocation.record import AllocationRecord, AllocationStatus
from scheduler.allocation.refusal import RefusedError, require_may_allocate
from scheduler.database.commit import commit
from scheduler.domain.guard import Aggregate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scheduler.allocation.transactions import Transactions
    from scheduler.database.bulk import BulkCursor
    from scheduler.domain.changes import Grant
    from scheduler.domain.work import Work
    from scheduler.settings import AllocationStrategy


_PAUSES: Final = (0.01, 0.02, 0.04, 0.08, 0.16, *(0.32,) * 40)
"""Seconds between the tries for a device whose row others hold; over before a request times out."""

Outcome: TypeAlias = AllocationRecord | RefusedError | KeyReusedError
"""What a request led to: an allocation, or the reason why not."""


class InLineError(Exception):
    """The request came before, and led to a place in line that is not served."""

    def __init__(self, place_id: str) -> None:
        super().__init__(place_id)
        self.place_id = place_id


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for a device; with a key it may be repeated without effect.

    Who will ``wait`` takes a place in line (`scheduler.allocation.waiting`) where none is free.
    """

    user_id: str
    minutes: int
    wish: Wish
    idempotency_key: str | None = None
    wait: bool = False
    priority: int = 0

    @property
    def key(self) -> Key | None:
        """Return what names the request, if anything does."""
        return Key(self.user_id, self.idempotency_key) if self.idempotency_key else None

    @property
    def content(self) -> dict[str, object]:
        """Return what makes the request the same one again."""
        wish = self.wish
        line: dict[str, object] = {"wait": True, "priority": self.priority} if self.wait else {}
        return {"minutes": self.minutes, "cpu": wish.cpu_cores, "memory": wish.memory_mb, **line}


class Allocator:
    """Gives devices to users. Not for use by several threads.

    ``nudge`` tells the dispatcher after a commit that there is something to tell.
    """

    def __init__(
        self,
        transactions: Transactions,
        strategy: AllocationStrategy,
        nudge: Callable[[], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transactions = transactions
        self._strategy = strategy
        self._nudge = nudge
        self._sleep = sleep

    def allocate(self, wanted: Wanted, actor: str) -> AllocationRecord:
        """Give a user a device; see `allocate_all`.

        Raises:
            RefusedError: his state, his quota or the pool stands against it.
            KeyReusedError: the key belongs to another request.
        """
        (outcome,) = self.allocate_all([wanted], actor)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def allocate_all(self, wanted: Sequence[Wanted], actor: str) -> list[Outcome]:
        """Give devices in the order of the requests, each of which succeeds or fails on its own.

        A user nobody has heard of becomes known with the default quota. The statements are as
        many as there are different wishes, and a few.

        Args:
            wanted: the requests; of two with the same user and key the second finds the first.
            actor: who asks, for the history.

        Raises:
            PoolContendedError, SnapshotMovedError, pymysql.MySQLError: others were faster, again
                and again; nothing was given.
            DatabaseUnavailableError: the database is away.
        """
        outcomes = self._patiently(lambda cursor: self._allocate(cursor, wanted, actor))
        if any(isinstance(outcome, AllocationRecord) for outcome in outcomes):
            self._nudge()
        return outcomes

    def _patiently(self, change: Callable[[BulkCursor], list[Outcome]]) -> list[Outcome]:
        for pause in _PAUSES:
            try:
                return self._transactions.run(change)
            except PoolContendedError:
                # Without any lock, and not in step with the others.
                self._sleep(random.uniform(pause / 2, pause))  # noqa: S311 - no secret
        return self._transactions.run(change)

    def _allocate(self, cursor: BulkCursor, wanted: Sequence[Wanted], actor: str) -> list[Outcome]:
        work = self._transactions.lock(cursor, actor, users={one.user_id for one in wanted})
        keys = Keys(cursor, {one.key for one in wanted if one.key})
        stock = Stock(cursor, self._strategy, Counter(one.wish for one in wanted))
        given = [self._give(work, keys, stock, one) for one in wanted]
        commit(cursor, work, [], self._transactions.new_id)
        keys.write(work.now)
        found = {one: _granted(work, stock, grant) for one, grant in work.grants.items()}
        before = [one for one in given if isinstance(one, str) and one not in found]
        found |= record.by_id(cursor, before)
        if in_line := [one for one in given if isinstance(one, str) and one not in found]:
            raise InLineError(in_line[0])
        return [found[one] if isinstance(one, str) else one for one in given]

    def _give(
        self, work: Work, keys: Keys, stock: Stock, wanted: Wanted
    ) -> str | RefusedError | KeyReusedError:
        try:
            return keys.recall(wanted.key, wanted.content) or self._grant(work, keys, stock, wanted)
        except (RefusedError, KeyReusedError) as refusal:
            return refusal

    def _grant(self, work: Work, keys: Keys, stock: Stock, wanted: Wanted) -> str:
        require_may_allocate(work.user(wanted.user_id))
        until = work.now + timedelta(minutes=wanted.minutes)
        device = stock.take(wanted.wish, room_for(work, wanted.user_id, wanted.wish), until)
        allocation_id = self._transactions.new_id()
        work.meet(Aggregate.USER, wanted.user_id)
        work.allocate(allocation_id, wanted.user_id, device, until)
        keys.remember(wanted.key, wanted.content, allocation_id)
        return allocation_id


def _granted(work: Work, stock: Stock, grant: Grant) -> AllocationRecord:
    """Return what the database holds of an allocation that was just written."""
    allocation = grant.allocation
    return AllocationRecord(
        allocation.id,
        allocation.user_id,
        allocation.device_id,
        work.device(allocation.device_id).name,
        AllocationStatus.ALLOCATED,
        allocation.allocated_at,
        grant.expires_at,
        None,
        None,
        None,
        *stock.address(allocation.device_id),
    )
