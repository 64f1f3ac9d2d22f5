"""Ends allocations, or lets them last longer: any number in one transaction of a few statements."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from scheduler.allocation import record
from scheduler.allocation.idempotency import Key, KeyReusedError, Keys
from scheduler.allocation.record import AllocationRecord, AllocationStatus
from scheduler.allocation.refusal import Refusal, RefusedError, require_may_allocate
from scheduler.allocation.reservation.calendar import promised
from scheduler.allocation.waiting.hand_over import hand_over
from scheduler.database.commit import commit
from scheduler.domain.reasons import ReleaseReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from scheduler.allocation.transactions import Transactions
    from scheduler.database.bulk import BulkCursor
    from scheduler.domain.work import Work

Extended: TypeAlias = AllocationRecord | RefusedError | KeyReusedError
"""An allocation that lasts longer, or the reason why not."""


class Leases:
    """Changes allocations that are there. Not for use by several threads.

    Args:
        transactions: on the database.
        max_minutes: how long an allocation may last in all.
        nudge: tells the dispatcher after a commit that there is something to tell.
    """

    def __init__(
        self, transactions: Transactions, max_minutes: int, nudge: Callable[[], None]
    ) -> None:
        self._transactions = transactions
        self._max_minutes = max_minutes
        self._nudge = nudge

    def release(
        self, allocations: Sequence[AllocationRecord], actor: str
    ) -> list[AllocationRecord]:
        """End allocations because somebody asked for it; what has ended stays as it is.

        Raises:
            SnapshotMovedError, pymysql.MySQLError: others were faster, again and again.
            DatabaseUnavailableError: the database is away.
        """
        if not allocations:
            return []
        released = self._transactions.run(lambda cursor: self._release(cursor, allocations, actor))
        self._nudge()
        return released

    def extend(
        self,
        allocations: Sequence[AllocationRecord],
        minutes: int,
        actor: str,
        idempotency_key: str | None = None,
    ) -> list[Extended]:
        """Let active allocations last so many minutes longer, each once however often it is named.

        One whose time is over but that nobody has ended yet lasts from now on.

        Args:
            allocations: which.
            minutes: how much longer.
            actor: who asks, for the history.
            idempotency_key: of the request; repeated, it changes nothing.

        Raises:
            SnapshotMovedError, pymysql.MySQLError: others were faster, again and again.
            DatabaseUnavailableError: the database is away.
        """
        if not allocations:
            return []
        return self._transactions.run(
            lambda cursor: self._extend(cursor, allocations, minutes, actor, idempotency_key)
        )

    def _release(
        self, cursor: BulkCursor, allocations: Sequence[AllocationRecord], actor: str
    ) -> list[AllocationRecord]:
        work = self._lock(cursor, allocations, actor)
        wanted = {allocation.id for allocation in allocations}
        for device_id in dict.fromkeys(allocation.device_id for allocation in allocations):
            for active in work.active_allocations(device=device_id):
                if active.id in wanted:
                    work.release(active, ReleaseReason.user_request())
        hand_over(cursor, work)
        commit(cursor, work, [], self._transactions.new_id)
        found = record.by_id(cursor, wanted)
        return [found[allocation.id] for allocation in allocations]

    def _extend(
        self,
        cursor: BulkCursor,
        allocations: Sequence[AllocationRecord],
        minutes: int,
        actor: str,
        idempotency_key: str | None,
    ) -> list[Extended]:
        work = self._lock(cursor, allocations, actor)
        keys = Keys(cursor, _keys(allocations, idempotency_key))
        now = record.by_id(cursor, {allocation.id for allocation in allocations})
        reserved = promised(cursor, {allocation.device_id for allocation in allocations})
        refused: dict[str, RefusedError | KeyReusedError] = {}
        for allocation in now.values():
            key = Key(allocation.user_id, idempotency_key) if idempotency_key else None
            content: Mapping[str, object] = {"extend": allocation.id, "minutes": minutes}
            try:
                if keys.recall(key, content) is None:
                    self._extend_one(work, allocation, minutes, reserved)
                    keys.remember(key, content, allocation.id)
            except (RefusedError, KeyReusedError) as refusal:
                refused[allocation.id] = refusal
        commit(cursor, work, [], self._transactions.new_id)
        keys.write(work.now)
        found = record.by_id(cursor, now)
        return [refused.get(one.id) or found[one.id] for one in allocations]

    def _extend_one(
        self,
        work: Work,
        allocation: AllocationRecord,
        minutes: int,
        reserved: Mapping[str, datetime],
    ) -> None:
        if allocation.status is not AllocationStatus.ALLOCATED:
            raise RefusedError(Refusal.NOT_ACTIVE, {"status": allocation.status})
        require_may_allocate(work.user(allocation.user_id))
        until = max(allocation.expires_at, work.now) + timedelta(minutes=minutes)
        latest = allocation.allocated_at + timedelta(minutes=self._max_minutes)
        if until > latest:
            details = {"maxMinutes": self._max_minutes, "latest": latest.isoformat()}
            raise RefusedError(Refusal.DURATION_EXCEEDED, details)
        if until > (start := reserved.get(allocation.device_id, until)):
            details = {"reservedFrom": start.isoformat()}
            raise RefusedError(Refusal.DEVICE_RESERVED, details)
        (active,) = work.active_allocations(device=allocation.device_id)
        work.extend(active, until)

    def _lock(
        self, cursor: BulkCursor, allocations: Sequence[AllocationRecord], actor: str
    ) -> Work:
        devices = {allocation.device_id for allocation in allocations}
        return self._transactions.lock(cursor, actor, devices=devices)


def _keys(allocations: Sequence[AllocationRecord], idempotency_key: str | None) -> set[Key]:
    if idempotency_key is None:
        return set()
    return {Key(allocation.user_id, idempotency_key) for allocation in allocations}
