"""Releases and extends allocations: any number in one transaction with few statements."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from scheduler.allocation.idempotency import IdempotencyKey, IdempotencyKeys, KeyReusedError
from scheduler.database import allocations as records
from scheduler.database import reservations
from scheduler.database.allocations import AllocationRecord, AllocationStatus
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.refusal import Refusal, RefusedError, require_may_allocate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from scheduler.database.cursor import BulkCursor
    from scheduler.domain.work import Work
    from scheduler.unit_of_work import UnitOfWork, UnitsOfWork

ExtensionResult: TypeAlias = AllocationRecord | RefusedError | KeyReusedError
"""An extended allocation, or why the extension was refused."""

_Refusals: TypeAlias = dict[str, RefusedError | KeyReusedError]


class Leases:
    """Releases and extends active allocations. Not thread-safe.

    Args:
        units: runs the changes.
        max_minutes: the maximum duration of an allocation, including extensions.
    """

    def __init__(self, units: UnitsOfWork, max_minutes: int) -> None:
        self._units = units
        self._max_minutes = max_minutes

    def release(
        self, allocations: Sequence[AllocationRecord], actor: str
    ) -> list[AllocationRecord]:
        """Release allocations; those that have ended are returned unchanged.

        Raises:
            StaleSnapshotError, pymysql.MySQLError: transaction conflicts exhausted the retries.
            DatabaseUnavailableError: the database is unavailable.
        """
        if not allocations:
            return []

        def read(cursor: BulkCursor, _: None) -> list[AllocationRecord]:
            found = records.by_id(cursor, {one.id for one in allocations})
            return [found[one.id] for one in allocations]

        return self._units.run_and_read(lambda unit: _release(unit, allocations, actor), read)

    def extend(
        self,
        allocations: Sequence[AllocationRecord],
        minutes: int,
        actor: str,
        idempotency_key: str | None = None,
    ) -> list[ExtensionResult]:
        """Extend active allocations; an allocation that is named twice is extended once.

        An allocation that has expired but was not ended yet is extended from now.

        Args:
            allocations: the allocations to extend.
            minutes: the additional time.
            actor: who requests the extension, for the history.
            idempotency_key: of the request; a repeated request changes nothing.

        Raises:
            StaleSnapshotError, pymysql.MySQLError: transaction conflicts exhausted the retries.
            DatabaseUnavailableError: the database is unavailable.
        """
        if not allocations:
            return []

        def read(cursor: BulkCursor, refused: _Refusals) -> list[ExtensionResult]:
            found = records.by_id(cursor, {one.id for one in allocations})
            return [refused.get(one.id) or found[one.id] for one in allocations]

        return self._units.run_and_read(
            lambda unit: self._extend(unit, allocations, minutes, actor, idempotency_key), read
        )

    def _extend(
        self,
        unit: UnitOfWork,
        allocations: Sequence[AllocationRecord],
        minutes: int,
        actor: str,
        idempotency_key: str | None,
    ) -> _Refusals:
        work = _lock(unit, allocations, actor)
        keys = IdempotencyKeys(unit.cursor, _keys(allocations, idempotency_key))
        current = records.by_id(unit.cursor, {one.id for one in allocations})
        reserved = reservations.reserved_from(unit.cursor, {one.device_id for one in allocations})
        refused: _Refusals = {}
        for allocation in current.values():
            key = IdempotencyKey(allocation.user_id, idempotency_key) if idempotency_key else None
            content: Mapping[str, object] = {"extend": allocation.id, "minutes": minutes}
            try:
                if keys.recall(key, content) is None:
                    self._extend_one(work, allocation, minutes, reserved)
                    keys.remember(key, content, allocation.id)
            except (RefusedError, KeyReusedError) as refusal:
                refused[allocation.id] = refusal
        unit.add_write(lambda: keys.write(work.now))
        return refused

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


def _release(unit: UnitOfWork, allocations: Sequence[AllocationRecord], actor: str) -> None:
    work = _lock(unit, allocations, actor)
    wanted = {allocation.id for allocation in allocations}
    for device_id in dict.fromkeys(allocation.device_id for allocation in allocations):
        for active in work.active_allocations(device=device_id):
            if active.id in wanted:
                work.release(active, ReleaseReason.user_request())


def _lock(unit: UnitOfWork, allocations: Sequence[AllocationRecord], actor: str) -> Work:
    return unit.lock(devices={allocation.device_id for allocation in allocations}, actor=actor)


def _keys(
    allocations: Sequence[AllocationRecord], idempotency_key: str | None
) -> set[IdempotencyKey]:
    if idempotency_key is None:
        return set()
    return {IdempotencyKey(allocation.user_id, idempotency_key) for allocation in allocations}
