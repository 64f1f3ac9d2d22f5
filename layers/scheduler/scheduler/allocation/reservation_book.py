"""Makes and cancels reservations.

Each reservation has its own device for its slot: no other reservation gets the device in the slot,
and no allocation that would last into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scheduler.allocation.idempotency import IdempotencyKey, IdempotencyKeys
from scheduler.database import reservations
from scheduler.database.errors import StaleSnapshotError
from scheduler.domain.guard import Aggregate
from scheduler.domain.quota import UNLIMITED, Headroom, Requirements
from scheduler.domain.refusal import Refusal, RefusedError, require_may_allocate
from scheduler.domain.reservation import Reservation, ReservationStatus

if TYPE_CHECKING:
    from scheduler.database.cursor import BulkCursor
    from scheduler.domain.model import User
    from scheduler.domain.reservation import Slot
    from scheduler.unit_of_work import UnitOfWork, UnitsOfWork

MAX_OPEN_RESERVATIONS: Final = 500
"""Maximum number of a user's open reservations; each new reservation reads them all."""

_EXTRA_ATTEMPTS: Final = 5
"""Each runs up to three times. Of many concurrent requests, most find their device taken."""


@dataclass(frozen=True, slots=True)
class ReservationRequest:
    """A request for a device in a slot; repeating it with the same key has no effect."""

    user_id: str
    slot: Slot
    requirements: Requirements
    idempotency_key: str | None = None

    @property
    def key(self) -> IdempotencyKey | None:
        """Return the idempotency key of the request, if it has one."""
        return IdempotencyKey(self.user_id, self.idempotency_key) if self.idempotency_key else None

    @property
    def content(self) -> dict[str, object]:
        """Return the parameters that must be the same in a repeated request."""
        slot = [moment.isoformat() for moment in self.slot]
        sizes = {"cpu": self.requirements.cpu_cores, "memory": self.requirements.memory_mb}
        return {"reserve": slot, **sizes}


class ReservationBook:
    """Makes and cancels the reservations of the pool. Not thread-safe."""

    def __init__(self, units: UnitsOfWork) -> None:
        self._units = units

    def reserve(self, request: ReservationRequest) -> Reservation:
        """Reserve a device for a user.

        Raises:
            RefusedError: the user may not allocate, their quota is used up, or no device is free;
                if a device is free at another time, the details name the nearest slot.
            KeyReusedError: the idempotency key belongs to another request.
            StaleSnapshotError, pymysql.MySQLError: transaction conflicts exhausted the retries.
            DatabaseUnavailableError: the database is unavailable.
        """
        for _ in range(_EXTRA_ATTEMPTS):
            try:
                return self._units.run(lambda unit: _reserve(unit, request))
            except StaleSnapshotError:  # the chosen device was taken, three times
                continue
        return self._units.run(lambda unit: _reserve(unit, request))

    def cancel(self, reservation: Reservation) -> Reservation:
        """Cancel a reservation and free its device; one that has ended is returned unchanged.

        Raises:
            StaleSnapshotError, pymysql.MySQLError: transaction conflicts exhausted the retries.
            DatabaseUnavailableError: the database is unavailable.
        """
        return self._units.run(lambda unit: _cancel(unit, reservation))


def _reserve(unit: UnitOfWork, request: ReservationRequest) -> Reservation:
    work = unit.lock(users=[request.user_id])
    keys = IdempotencyKeys(unit.cursor, [request.key] if request.key else [])
    if before := keys.recall(request.key, request.content):
        return _get(unit.cursor, before)
    user = work.user(request.user_id)
    require_may_allocate(user)
    _require_quota(unit.cursor, user, request)
    reservations.lock_booking(unit.cursor)
    device_id = _lock_device(unit.cursor, request, _headroom(user))
    work.ensure_exists(Aggregate.USER, user.id)
    made = Reservation(
        unit.new_id(),
        user.id,
        device_id,
        request.slot,
        request.requirements,
        ReservationStatus.RESERVED,
        work.now,
    )
    keys.remember(request.key, request.content, made.id)
    unit.add_write(lambda: reservations.reserve(unit.cursor, made))
    unit.add_write(lambda: keys.write(work.now))
    return made


def _cancel(unit: UnitOfWork, reservation: Reservation) -> Reservation:
    work = unit.lock(users=[reservation.user_id], devices=[reservation.device_id])
    if _get(unit.cursor, reservation.id).status is ReservationStatus.RESERVED:
        reservations.end(unit.cursor, [reservation.id], ReservationStatus.CANCELLED, work.now)
        # Marked as changed, so that it is handed to a waiting user if no user holds it.
        work.update_device(work.device(reservation.device_id))
    return _get(unit.cursor, reservation.id)


def _require_quota(cursor: BulkCursor, user: User, request: ReservationRequest) -> None:
    """Check the number of devices in the slot; their sizes are checked when the slot starts.

    Raises:
        RefusedError: the quota is used up in this slot, or the user has too many reservations.
    """
    slot, limit = request.slot, user.quota.max_devices
    reserved = reservations.of_user(cursor, user.id)
    if len(reserved) >= MAX_OPEN_RESERVATIONS:
        details = {"quota": "reservations", "limit": MAX_OPEN_RESERVATIONS}
        raise RefusedError(Refusal.QUOTA_EXCEEDED, {**details, "reserved": len(reserved)})
    used = sum(one.slot.start < slot.end and one.slot.end > slot.start for one in reserved)
    if used >= limit:
        details = {"quota": "devices", "limit": limit, "reserved": used}
        raise RefusedError(Refusal.QUOTA_EXCEEDED, details)


def _lock_device(cursor: BulkCursor, request: ReservationRequest, limit: Headroom) -> str:
    slot, requirements = request.slot, request.requirements
    if device_id := reservations.lock_free_device(cursor, slot, requirements, limit):
        return device_id
    other = reservations.nearest_free_slot(cursor, slot, requirements, limit)
    if other is None:
        raise RefusedError(Refusal.NO_DEVICE_AVAILABLE)
    nearest: dict[str, Any] = {
        "startsAt": other.start.isoformat(),
        "endsAt": other.end.isoformat(),
    }
    raise RefusedError(Refusal.SLOT_TAKEN, {"nearest": nearest})


def _headroom(user: User) -> Headroom:
    cpu, memory = user.quota.max_cpu, user.quota.max_memory_mb
    return Headroom(
        UNLIMITED if cpu is None else cpu,
        UNLIMITED if memory is None else memory,
    )


def _get(cursor: BulkCursor, reservation_id: str) -> Reservation:
    found = reservations.find(cursor, reservation_id)
    if found is None:
        raise LookupError(f"reservation {reservation_id} has vanished")
    return found
