"""Starts reservations whose slot has started, or notifies their users why that failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scheduler.allocation.device_picker import DevicePicker, PoolContendedError
from scheduler.database import allocations, reservations
from scheduler.domain.notices import NoticeKind
from scheduler.domain.quota import fits, headroom
from scheduler.domain.refusal import RefusedError, require_may_allocate
from scheduler.domain.reservation import ReservationStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymysql.cursors import Cursor

    from scheduler.domain.model import Device
    from scheduler.domain.quota import Headroom
    from scheduler.domain.reservation import Reservation
    from scheduler.domain.work import Work
    from scheduler.settings import AllocationStrategy
    from scheduler.unit_of_work import UnitOfWork

GRACE_PERIOD: Final = timedelta(minutes=5)
"""How long after the start of its slot a reservation without a free device is retried."""

_BY_RESERVATION: Final = "reservation"
"""The actor that the history names for an allocation that a reservation started."""


def start(unit: UnitOfWork, due: Sequence[Reservation], strategy: AllocationStrategy) -> Work:
    """Allocate the devices of reservations whose slot has started, and return the work.

    Reservations of users that another transaction has locked are left for the next run. During the
    `GRACE_PERIOD`, reservations for which no device is free are left as well.

    Raises:
        pymysql.MySQLError: a statement was refused; the unit is rolled back.
    """
    work = unit.lock_users_skip_locked({one.user_id for one in due})
    ids = [one.id for one in due if one.user_id in work.users]
    if not ids:
        return work
    work.merge(allocations.held_by(unit.cursor, set(work.users)))
    still = reservations.still_reserved(unit.cursor, ids)
    if not still:
        return work
    devices = _Devices(unit.cursor, still, strategy)
    ended: defaultdict[ReservationStatus, list[str]] = defaultdict(list)
    for one in still:
        if status := _start(work, one, devices):
            ended[status].append(one.id)
    for status, ended_ids in ended.items():
        reservations.end(unit.cursor, ended_ids, status, work.now)
    return work


class _Devices:
    """The reserved devices that are free, and devices of the pool in place of the others."""

    def __init__(
        self, cursor: Cursor, due: Sequence[Reservation], strategy: AllocationStrategy
    ) -> None:
        self._reserved = reservations.lock_reserved_devices(cursor, due)
        self._picker = DevicePicker(cursor, strategy, Counter(one.requirements for one in due))

    def pick(self, one: Reservation, limit: Headroom) -> Device | None:
        device = self._reserved.get(one.device_id)
        if device and fits(device, one.requirements, limit):
            return self._reserved.pop(one.device_id)
        try:
            return self._picker.pick(one.requirements, limit, one.slot.end)
        except (RefusedError, PoolContendedError):
            return None


def _start(work: Work, one: Reservation, devices: _Devices) -> ReservationStatus | None:
    """Return the final state of a reservation; None if it is retried later."""
    try:
        require_may_allocate(work.user(one.user_id))
    except RefusedError:
        return _fail(work, one, NoticeKind.RESERVATION_FAILED_ACCOUNT)
    try:
        limit = headroom(work, one.user_id, one.requirements)
    except RefusedError:
        return _fail(work, one, NoticeKind.RESERVATION_FAILED_QUOTA)
    if one.slot.end > work.now and (device := devices.pick(one, limit)):
        work.allocate(one.id, one.user_id, device, one.slot.end, actor=_BY_RESERVATION)
        return ReservationStatus.STARTED
    if work.now < min(one.slot.start + GRACE_PERIOD, one.slot.end):
        return None
    return _fail(work, one, NoticeKind.RESERVATION_FAILED_POOL)


def _fail(work: Work, one: Reservation, kind: NoticeKind) -> ReservationStatus:
    work.begin(one.id)
    work.notify(one.user_id, kind, starts_at=one.slot.start)
    return ReservationStatus.FAILED
