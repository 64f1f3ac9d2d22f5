"""The waiting line: requests join and leave it, and are served with free devices.

Devices that are just being freed go to waiting users in `scheduler.hand_over`.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.allocation.device_picker import DevicePicker, PoolContendedError
from scheduler.allocation.idempotency import IdempotencyKeys
from scheduler.database import waiting
from scheduler.domain.guard import Aggregate
from scheduler.domain.quota import headroom
from scheduler.domain.refusal import Refusal, RefusedError, require_may_allocate
from scheduler.domain.waiting import BY_WAITING_LINE, WaitingEntry, WaitingStatus, headroom_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scheduler.allocation.allocate import AllocationRequest
    from scheduler.database.cursor import BulkCursor
    from scheduler.domain.model import Device
    from scheduler.domain.work import Work
    from scheduler.settings import AllocationStrategy, WaitingSettings
    from scheduler.unit_of_work import UnitOfWork, UnitsOfWork


class WaitingLine:
    """Lets requests join and leave the waiting line. Not thread-safe."""

    def __init__(self, units: UnitsOfWork, settings: WaitingSettings) -> None:
        self._units = units
        self._strategy = settings.allocation_strategy
        self._longest_wait = timedelta(minutes=settings.waiting_minutes)

    def join(self, request: AllocationRequest) -> str:
        """Queue a request, and allocate a device at once if one has become free in the meantime.

        Returns:
            The id of the waiting entry, which is also the id of the allocation that serves it. A
            repeated request may return the id of an allocation that did not wait.

        Raises:
            RefusedError: the user may not allocate, or their quota does not allow another device
                besides those they hold and wait for.
            KeyReusedError: the idempotency key belongs to another request.
            StaleSnapshotError, pymysql.MySQLError: transaction conflicts exhausted the retries.
            DatabaseUnavailableError: the database is unavailable.
        """
        joined = self._units.run(lambda unit: self._join(unit, request))
        if isinstance(joined, str):
            return joined
        # A transaction that freed a device before the entry was committed did not see the entry.
        # Its device is found here.
        self._units.run(lambda unit: serve(unit, [joined], self._strategy))
        return joined.id

    def leave(self, entry: WaitingEntry) -> WaitingEntry:
        """Cancel a waiting entry; one that has ended is returned unchanged.

        Raises:
            StaleSnapshotError, pymysql.MySQLError: transaction conflicts exhausted the retries.
            DatabaseUnavailableError: the database is unavailable.
        """
        return self._units.run(lambda unit: _leave(unit, entry))

    def _join(self, unit: UnitOfWork, request: AllocationRequest) -> WaitingEntry | str:
        work = unit.lock(users=[request.user_id])
        keys = IdempotencyKeys(unit.cursor, [request.key] if request.key else [])
        if before := keys.recall(request.key, request.content):
            return before
        _require_headroom(unit.cursor, work, request)
        entry = self._entry(unit.new_id(), request, work.now)
        work.ensure_exists(Aggregate.USER, request.user_id)
        keys.remember(request.key, request.content, entry.id)
        unit.add_write(lambda: waiting.join(unit.cursor, entry))
        unit.add_write(lambda: keys.write(work.now))
        return entry

    def _entry(self, id_: str, request: AllocationRequest, now: datetime) -> WaitingEntry:
        return WaitingEntry(
            id_,
            request.user_id,
            request.priority,
            request.minutes,
            request.requirements,
            WaitingStatus.WAITING,
            now,
            now + self._longest_wait,
        )


def serve(unit: UnitOfWork, entries: Sequence[WaitingEntry], strategy: AllocationStrategy) -> Work:
    """Allocate free devices of the pool to the entries that still wait, and return the work.

    Users and devices that another transaction has locked are skipped; a later run serves them.

    Raises:
        pymysql.MySQLError: a statement was refused; the unit is rolled back.
    """
    work = unit.lock()
    line = waiting.lock(unit.cursor, work, entries)
    picker = DevicePicker(unit.cursor, strategy, Counter(one.requirements for one in line))
    served = []
    for entry in line:
        until = work.now + timedelta(minutes=entry.minutes)
        if device := _pick(picker, work, entry, until):
            work.allocate(entry.id, entry.user_id, device, until, actor=BY_WAITING_LINE)
            served.append(entry.id)
    if served:
        waiting.end(unit.cursor, served, WaitingStatus.SERVED, work.now)
    return work


def _pick(picker: DevicePicker, work: Work, entry: WaitingEntry, until: datetime) -> Device | None:
    limit = headroom_of(work, entry)
    if limit is None:
        return None
    try:
        return picker.pick(entry.requirements, limit, until)
    except (RefusedError, PoolContendedError):
        return None


def _leave(unit: UnitOfWork, entry: WaitingEntry) -> WaitingEntry:
    work = unit.lock(users=[entry.user_id])
    if _get(unit.cursor, entry.id).status is WaitingStatus.WAITING:
        waiting.end(unit.cursor, [entry.id], WaitingStatus.CANCELLED, work.now)
    return _get(unit.cursor, entry.id)


def _require_headroom(cursor: BulkCursor, work: Work, request: AllocationRequest) -> None:
    user = work.user(request.user_id)
    require_may_allocate(user)
    headroom(work, user.id, request.requirements)
    held = len(work.active_allocations(user=user.id))
    queued = len(waiting.of_user(cursor, user.id))
    limit = user.quota.max_devices
    if held + queued >= limit:
        details = {"quota": "devices", "limit": limit, "used": held, "waiting": queued}
        raise RefusedError(Refusal.QUOTA_EXCEEDED, details)


def _get(cursor: BulkCursor, entry_id: str) -> WaitingEntry:
    found = waiting.find(cursor, entry_id)
    if found is None:
        raise LookupError(f"waiting entry {entry_id} has vanished")
    return found
