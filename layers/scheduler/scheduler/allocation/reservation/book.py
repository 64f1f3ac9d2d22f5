"""Makes and cancels reservations.

Each has a device of its own in its slot, so what was promised is never promised twice, and who
asks for a device now does not get one that is promised before he would give it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scheduler.allocation.idempotency import Key, Keys
from scheduler.allocation.quota import UNLIMITED, Room, Wish
from scheduler.allocation.refusal import Refusal, RefusedError, require_may_allocate
from scheduler.allocation.reservation import calendar
from scheduler.allocation.reservation import reservation as reservations
from scheduler.allocation.reservation.reservation import Reservation, ReservationStatus
from scheduler.allocation.waiting.hand_over import hand_over
from scheduler.database.commit import commit
from scheduler.database.load import SnapshotMovedError
from scheduler.domain.guard import Aggregate

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.allocation.reservation.calendar import Slot
    from scheduler.allocation.transactions import Transactions
    from scheduler.database.bulk import BulkCursor
    from scheduler.domain.model import User

# Whoever looks for a free slot waits here for whoever has found one and not yet committed. The
# upsert locks the row also if it is there; after the user's, and before the device's.
_ALONE: Final = """
    INSERT INTO mutexes (name) VALUES ('reservations') ON DUPLICATE KEY UPDATE name = VALUES(name)
"""
MOST_OPEN: Final = 500
"""Reservations of a user that have not begun: each is read when he, or anybody, makes another."""

_MORE_TRIES: Final = 5
"""Each of three runs: where many ask at once, the chosen device is often just given away."""

_RESERVE: Final = """
    INSERT INTO reservations
        (id, user_id, device_id, starts_at, ends_at, min_cpu_cores, min_memory_mb, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True)
class Booking:
    """A request for a device in a slot; with a key it may be repeated without effect."""

    user_id: str
    slot: Slot
    wish: Wish
    idempotency_key: str | None = None

    @property
    def key(self) -> Key | None:
        """Return what names the request, if anything does."""
        return Key(self.user_id, self.idempotency_key) if self.idempotency_key else None

    @property
    def content(self) -> dict[str, object]:
        """Return what makes the request the same one again."""
        slot = [moment.isoformat() for moment in self.slot]
        return {"reserve": slot, "cpu": self.wish.cpu_cores, "memory": self.wish.memory_mb}


class ReservationBook:
    """The reservations of the pool. Not for use by several threads.

    ``nudge`` tells the dispatcher after a commit that there may be something to tell.
    """

    def __init__(self, transactions: Transactions, nudge: Callable[[], None]) -> None:
        self._transactions = transactions
        self._nudge = nudge

    def reserve(self, booking: Booking) -> Reservation:
        """Promise a user a device.

        Raises:
            RefusedError: his state, his quota or the pool stands against it; if only the time
                does, its details name the nearest slot that is free.
            KeyReusedError: the key belongs to another request.
            SnapshotMovedError, pymysql.MySQLError: others were faster, again and again.
            DatabaseUnavailableError: the database is away.
        """
        for _ in range(_MORE_TRIES):
            try:
                return self._transactions.run(lambda cursor: self._reserve(cursor, booking))
            except SnapshotMovedError:  # the device went to somebody else, and so did the next
                continue
        return self._transactions.run(lambda cursor: self._reserve(cursor, booking))

    def cancel(self, reservation: Reservation) -> Reservation:
        """Give up a reservation, for the first in line; one that has ended stays as it is.

        Raises:
            SnapshotMovedError, pymysql.MySQLError: others were faster, again and again.
            DatabaseUnavailableError: the database is away.
        """
        cancelled = self._transactions.run(lambda cursor: self._cancel(cursor, reservation))
        self._nudge()
        return cancelled

    def _reserve(self, cursor: BulkCursor, booking: Booking) -> Reservation:
        work = self._transactions.lock(cursor, "", users=[booking.user_id])
        keys = Keys(cursor, [booking.key] if booking.key else [])
        if before := keys.recall(booking.key, booking.content):
            return _get(cursor, before)
        user = work.user(booking.user_id)
        require_may_allocate(user)
        _require_quota(cursor, user, booking)
        cursor.execute(_ALONE)
        device_id = _device(cursor, booking, _room(user))
        work.meet(Aggregate.USER, user.id)
        commit(cursor, work, [], self._transactions.new_id)
        id_, slot, wish = self._transactions.new_id(), booking.slot, booking.wish
        times = (slot.start, slot.end, wish.cpu_cores, wish.memory_mb)
        cursor.execute(_RESERVE, (id_, user.id, device_id, *times, work.now))
        keys.remember(booking.key, booking.content, id_)
        keys.write(work.now)
        return _get(cursor, id_)

    def _cancel(self, cursor: BulkCursor, reservation: Reservation) -> Reservation:
        users, devices = [reservation.user_id], [reservation.device_id]
        work = self._transactions.lock(cursor, "", users=users, devices=devices)
        if _get(cursor, reservation.id).status is ReservationStatus.RESERVED:
            cancelled = ReservationStatus.CANCELLED
            reservations.end(cursor, [reservation.id], cancelled, work.now)
            # If nobody holds it, it is free from now on for as long as anybody wants it.
            work.describe_device(work.device(reservation.device_id))
            hand_over(cursor, work)
            commit(cursor, work, [], self._transactions.new_id)
        return _get(cursor, reservation.id)


def _require_quota(cursor: BulkCursor, user: User, booking: Booking) -> None:
    """Return if the user may hold as many devices at once; what each has is asked at the start.

    Raises:
        RefusedError: he may not, or he has too many reservations.
    """
    slot, limit = booking.slot, user.quota.max_devices
    reserved = reservations.of_user(cursor, user.id)
    if len(reserved) >= MOST_OPEN:
        details = {"quota": "reservations", "limit": MOST_OPEN, "reserved": len(reserved)}
        raise RefusedError(Refusal.QUOTA_EXCEEDED, details)
    used = sum(one.slot.start < slot.end and one.slot.end > slot.start for one in reserved)
    if used >= limit:
        details = {"quota": "devices", "limit": limit, "reserved": used}
        raise RefusedError(Refusal.QUOTA_EXCEEDED, details)


def _device(cursor: BulkCursor, booking: Booking, room: Room) -> str:
    if device_id := calendar.free_device(cursor, booking.slot, booking.wish, room):
        return device_id
    other = calendar.nearest(cursor, booking.slot, booking.wish, room)
    if other is None:
        raise RefusedError(Refusal.NO_DEVICE_AVAILABLE)
    nearest: dict[str, Any] = {
        "startsAt": other.start.isoformat(),
        "endsAt": other.end.isoformat(),
    }
    raise RefusedError(Refusal.SLOT_TAKEN, {"nearest": nearest})


def _room(user: User) -> Room:
    cpu, memory = user.quota.max_cpu, user.quota.max_memory_mb
    return Room(
        UNLIMITED if cpu is None else cpu,
        UNLIMITED if memory is None else memory,
    )


def _get(cursor: BulkCursor, reservation_id: str) -> Reservation:
    found = reservations.find(cursor, reservation_id)
    if found is None:
        raise LookupError(f"reservation {reservation_id} has vanished")
    return found
