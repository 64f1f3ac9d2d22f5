"""Routes of reservations."""

from datetime import UTC, datetime, timedelta
from typing import Final

from allocation_api.allocations.routes import IdempotencyKey
from allocation_api.errors import invalid, not_found
from allocation_api.reservations.models import NewReservation, Reservation, Reservations
from allocation_api.routing import Router
from allocation_api.wire import PathId
from scheduler.allocation.reservation_book import ReservationBook, ReservationRequest
from scheduler.database import reservations
from scheduler.database.connection import Database
from scheduler.domain import reservation
from scheduler.domain.quota import Requirements
from scheduler.domain.reservation import Slot

AHEAD: Final = timedelta(days=30)
"""Nobody reserves for later than that."""


def reservation_routes(database: Database, book: ReservationBook, default_minutes: int) -> Router:
    """Return the routes, which make reservations, look them up and cancel them."""
    router = Router()

    @router.post("/api/reservations", status_code=201)
    def reserve(body: NewReservation, idempotency_key: IdempotencyKey = None) -> Reservation:
        router.caller.require(body.user_id)
        slot = _slot(body, default_minutes)
        wish = Requirements(body.min_cpu_cores or 0, body.min_memory_mb or 0)
        return _shown(book.reserve(ReservationRequest(body.user_id, slot, wish, idempotency_key)))

    @router.get("/api/reservations/<reservation_id>")
    def look_up(reservation_id: PathId) -> Reservation:
        return _shown(_owned(reservation_id))

    @router.delete("/api/reservations/<reservation_id>")
    def cancel(reservation_id: PathId) -> Reservation:
        return _shown(book.cancel(_owned(reservation_id)))

    @router.get("/api/reservations/user/<user_id>")
    def of_user(user_id: PathId) -> Reservations:
        with database.transaction() as sql:
            found = reservations.of_user(sql, user_id)
        return Reservations(items=[_shown(one) for one in found])

    def _owned(reservation_id: str) -> reservation.Reservation:
        with database.transaction() as sql:
            found = reservations.find(sql, reservation_id)
        if found is None:
            raise not_found("reservation")
        router.caller.require(found.user_id)
        return found

    return router


def _slot(body: NewReservation, default_minutes: int) -> Slot:
    now = datetime.now(UTC)
    if not now <= body.starts_at <= now + AHEAD:  # before conversion, which may overflow
        raise invalid(("body.startsAt", f"must lie within the next {AHEAD.days} days"))
    start = body.starts_at.astimezone(UTC)
    return Slot(start, start + timedelta(minutes=body.duration_minutes or default_minutes))


def _shown(found: reservation.Reservation) -> Reservation:
    return Reservation(
        id=found.id,
        user_id=found.user_id,
        status=found.status,
        starts_at=found.slot.start,
        ends_at=found.slot.end,
        min_cpu_cores=found.requirements.cpu_cores,
        min_memory_mb=found.requirements.memory_mb,
        created_at=found.created_at,
        ended_at=found.ended_at,
        allocation_id=found.allocation_id,
    )
