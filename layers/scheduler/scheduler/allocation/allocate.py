"""Allocates devices to users: any number of requests in one transaction with few statements."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from scheduler.allocation.device_picker import DevicePicker, PoolContendedError
from scheduler.allocation.idempotency import IdempotencyKey, IdempotencyKeys, KeyReusedError
from scheduler.database import allocations
from scheduler.database.allocations import AllocationRecord, AllocationStatus
from scheduler.domain.guard import Aggregate
from scheduler.domain.quota import Requirements, headroom
from scheduler.domain.refusal import RefusedError, require_may_allocate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scheduler.domain.changes import Grant
    from scheduler.domain.work import Work
    from scheduler.settings import AllocationStrategy
    from scheduler.unit_of_work import UnitOfWork, UnitsOfWork


_RETRY_DELAYS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, *(0.32,) * 40)
"""Seconds between attempts while other transactions have locked all suitable devices; in total
less than the timeout of a request."""

AllocationResult: TypeAlias = AllocationRecord | RefusedError | KeyReusedError
"""The result of a request: an allocation, or why it was refused."""


class AlreadyWaitingError(Exception):
    """A repeated request was queued before, and its entry was not served yet."""

    def __init__(self, entry_id: str) -> None:
        super().__init__(entry_id)
        self.entry_id = entry_id


@dataclass(frozen=True, slots=True)
class AllocationRequest:
    """A request for a device; repeating it with the same idempotency key has no effect.

    With ``wait``, the request is queued if no device is free (`scheduler.allocation.waiting_line`).
    """

    user_id: str
    minutes: int
    requirements: Requirements
    idempotency_key: str | None = None
    wait: bool = False
    priority: int = 0

    @property
    def key(self) -> IdempotencyKey | None:
        """Return the idempotency key of the request, if it has one."""
        return IdempotencyKey(self.user_id, self.idempotency_key) if self.idempotency_key else None

    @property
    def content(self) -> dict[str, object]:
        """Return the parameters that must be the same in a repeated request."""
        sizes = {"cpu": self.requirements.cpu_cores, "memory": self.requirements.memory_mb}
        queue: dict[str, object] = {"wait": True, "priority": self.priority} if self.wait else {}
        return {"minutes": self.minutes, **sizes, **queue}


class Allocator:
    """Allocates devices to users. Not thread-safe."""

    def __init__(
        self,
        units: UnitsOfWork,
        strategy: AllocationStrategy,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._units = units
        self._strategy = strategy
        self._sleep = sleep

    def allocate(self, request: AllocationRequest, actor: str) -> AllocationRecord:
        """Allocate a device to a user; see `allocate_all`.

        Raises:
            RefusedError: the user may not allocate, the quota does not allow the device, or no
                suitable device is free.
            KeyReusedError: the idempotency key belongs to another request.
        """
        (result,) = self.allocate_all([request], actor)
        if isinstance(result, Exception):
            raise result
        return result

    def allocate_all(
        self, requests: Sequence[AllocationRequest], actor: str
    ) -> list[AllocationResult]:
        """Process requests in order; each is allocated a device or refused.

        Unknown users are created with the default quota. The number of statements depends on the
        number of different requirements, not on the number of requests.

        Args:
            requests: if two have the same user and key, the second returns the allocation of the
                first.
            actor: who requests the devices, for the history.

        Raises:
            AlreadyWaitingError: a repeated request was queued before and is still waiting.
            PoolContendedError, StaleSnapshotError, pymysql.MySQLError: transaction conflicts
                exhausted the retries; nothing was allocated.
            DatabaseUnavailableError: the database is unavailable.
        """
        for delay in _RETRY_DELAYS:
            try:
                return self._units.run(lambda unit: self._allocate(unit, requests, actor))
            except PoolContendedError:
                # No locks are held now. The random delay keeps contenders from colliding again.
                self._sleep(random.uniform(delay / 2, delay))  # noqa: S311 - not a secret
        return self._units.run(lambda unit: self._allocate(unit, requests, actor))

    def _allocate(
        self, unit: UnitOfWork, requests: Sequence[AllocationRequest], actor: str
    ) -> list[AllocationResult]:
        work = unit.lock(users={one.user_id for one in requests}, actor=actor)
        keys = IdempotencyKeys(unit.cursor, {one.key for one in requests if one.key})
        wanted = Counter(one.requirements for one in requests)
        picker = DevicePicker(unit.cursor, self._strategy, wanted)
        results = [self._try(unit, work, keys, picker, one) for one in requests]
        unit.add_write(lambda: keys.write(work.now))
        found = {id_: _new_record(work, picker, grant) for id_, grant in work.grants.items()}
        before = [one for one in results if isinstance(one, str) and one not in found]
        found |= allocations.by_id(unit.cursor, before)
        if missing := [one for one in before if one not in found]:
            raise AlreadyWaitingError(missing[0])
        return [found[one] if isinstance(one, str) else one for one in results]

    def _try(
        self,
        unit: UnitOfWork,
        work: Work,
        keys: IdempotencyKeys,
        picker: DevicePicker,
        request: AllocationRequest,
    ) -> str | RefusedError | KeyReusedError:
        """Return the id of the new or earlier allocation, or the refusal."""
        try:
            if before := keys.recall(request.key, request.content):
                return before
            require_may_allocate(work.user(request.user_id))
            until = work.now + timedelta(minutes=request.minutes)
            limit = headroom(work, request.user_id, request.requirements)
            device = picker.pick(request.requirements, limit, until)
        except (RefusedError, KeyReusedError) as refusal:
            return refusal
        id_ = unit.new_id()
        work.ensure_exists(Aggregate.USER, request.user_id)
        work.allocate(id_, request.user_id, device, until)
        keys.remember(request.key, request.content, id_)
        return id_


def _new_record(work: Work, picker: DevicePicker, grant: Grant) -> AllocationRecord:
    """Return the record that will be stored for a new allocation."""
    allocation = grant.allocation
    adb_host, adb_port = picker.adb_address(allocation.device_id)
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
        adb_host,
        adb_port,
        work.user(allocation.user_id).locale,
    )
