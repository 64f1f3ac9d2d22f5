"""Begins reservations whose time has come, or tells their users why not."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scheduler.allocation.holdings import holdings
from scheduler.allocation.pick import PoolContendedError, Stock
from scheduler.allocation.quota import room_for
from scheduler.allocation.refusal import RefusedError, require_may_allocate
from scheduler.allocation.reservation.reservation import (
    COLUMNS,
    ReservationStatus,
    end,
    reservation,
)
from scheduler.database import load
from scheduler.domain.model import Device, DeviceStatus, Health
from scheduler.domain.notices import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymysql.cursors import Cursor

    from scheduler.allocation.quota import Room
    from scheduler.allocation.reservation.reservation import Reservation
    from scheduler.domain.work import Work
    from scheduler.settings import AllocationStrategy

GRACE: Final = timedelta(minutes=5)
"""For so long after its start a device is looked for, if there is none at first."""

_BY_RESERVATION: Final = "reservation"
"""The cause of an allocation from a reservation, in its history."""

_STILL: Final = f"""
    SELECT {COLUMNS} FROM reservations r
    WHERE r.id IN %s AND r.status = 'RESERVED' ORDER BY r.starts_at, r.id
"""  # noqa: S608 - a constant
_PROMISED: Final = """
    SELECT id, name, status, health, cpu_cores, memory_mb, storage_mb FROM devices
    WHERE id IN %s AND status = 'available' AND health = 'running' FOR UPDATE SKIP LOCKED
"""


def start(
    cursor: Cursor, work: Work, due: Sequence[Reservation], strategy: AllocationStrategy
) -> None:
    """Give those whose time has come their devices; then commit.

    Users whom somebody else holds come again, and so does, for some minutes, who finds no device.

    Raises:
        pymysql.MySQLError: a statement was refused; the caller rolls back.
    """
    still = _lock(cursor, work, due)
    if not still:
        return
    devices = _Devices(cursor, still, strategy)
    ended: defaultdict[ReservationStatus, list[str]] = defaultdict(list)
    for one in still:
        if status := _start(work, one, devices):
            ended[status].append(one.id)
    for status, ids in ended.items():
        end(cursor, ids, status, work.now)


def _lock(cursor: Cursor, work: Work, due: Sequence[Reservation]) -> list[Reservation]:
    work.adopt(load.free_users(cursor, {one.user_id for one in due}))
    ids = tuple(one.id for one in due if one.user_id in work.users)
    if not ids:
        return []
    work.adopt(holdings(cursor, set(work.users)))
    cursor.execute(_STILL, (ids,))
    return [reservation(row) for row in cursor.fetchall()]


class _Devices:
    """The device each was promised, if it is free; else another one of the pool."""

    def __init__(
        self, cursor: Cursor, due: Sequence[Reservation], strategy: AllocationStrategy
    ) -> None:
        cursor.execute(_PROMISED, (tuple(one.device_id for one in due),))
        self._promised = {
            id_: Device(id_, name, DeviceStatus(status), Health(health), *sizes)
            for id_, name, status, health, *sizes in cursor.fetchall()
        }
        self._stock = Stock(cursor, strategy, Counter(one.wish for one in due))

    def take(self, one: Reservation, room: Room) -> Device | None:
        device = self._promised.get(one.device_id)
        if device and device.cpu_cores <= room.cpu_cores and device.memory_mb <= room.memory_mb:
            return self._promised.pop(one.device_id)
        try:
            return self._stock.take(one.wish, room, one.slot.end)
        except (RefusedError, PoolContendedError):
            return None


def _start(work: Work, one: Reservation, devices: _Devices) -> ReservationStatus | None:
    """Return what becomes of a reservation; None if it is tried again."""
    try:
        require_may_allocate(work.user(one.user_id))
    except RefusedError:
        return _fail(work, one, NoticeKind.RESERVATION_FAILED_ACCOUNT)
    try:
        room = room_for(work, one.user_id, one.wish)
    except RefusedError:
        return _fail(work, one, NoticeKind.RESERVATION_FAILED_QUOTA)
    if one.slot.end > work.now and (device := devices.take(one, room)):
        work.allocate(one.id, one.user_id, device, one.slot.end, cause=_BY_RESERVATION)
        return ReservationStatus.STARTED
    if work.now < min(one.slot.start + GRACE, one.slot.end):
        return None
    return _fail(work, one, NoticeKind.RESERVATION_FAILED_POOL)


def _fail(work: Work, one: Reservation, kind: NoticeKind) -> ReservationStatus:
    work.begin(one.id)
    work.notify(one.user_id, kind, starts_at=one.slot.start)
    return ReservationStatus.FAILED
