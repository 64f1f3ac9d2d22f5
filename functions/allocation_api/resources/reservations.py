"""Reservations: made, looked up and cancelled."""

from datetime import UTC, datetime, timedelta
from typing import Final

from allocation_api.access import Access, Router
from allocation_api.errors import invalid, not_found
from allocation_api.fields import (
    IdempotencyKeyHeader,
    Minutes,
    PathId,
    Quantity,
    RequestBody,
    ResponseBody,
)
from allocation_api.limits import CreationLimits
from allocation_api.openapi.responses import body_of, may_not_create, refusal
from scheduler.allocation.reservation_book import ReservationBook, ReservationRequest
from scheduler.database import reservations
from scheduler.database.connection import Database
from scheduler.domain.quota import Requirements
from scheduler.domain.reservation import Reservation, ReservationStatus, Slot
from scheduler.messaging.contract import ResourceId, ZonedTime

MAX_AHEAD: Final = timedelta(days=30)
"""How far ahead a reservation may start."""


class NewReservation(RequestBody):
    """The user, the time slot, and the minimum size of the device."""

    user_id: ResourceId
    starts_at: ZonedTime
    duration_minutes: Minutes | None = None
    min_cpu_cores: Quantity | None = None
    min_memory_mb: Quantity | None = None


class ReservationResponse(ResponseBody):
    """A reservation of a device for a time slot.

    Once the status is ``STARTED``, there is an allocation with the same id, which ends with the
    slot. The allocation names the device.
    """

    id: str
    user_id: str
    status: ReservationStatus
    starts_at: datetime
    ends_at: datetime
    min_cpu_cores: int
    min_memory_mb: int
    created_at: datetime
    ended_at: datetime | None
    allocation_id: str | None


class ReservationsResponse(ResponseBody):
    """The reservations of a user that have not started, earliest first."""

    items: list[ReservationResponse]


def reservation_routes(
    database: Database, book: ReservationBook, creations: CreationLimits, default_minutes: int
) -> Router:
    """Return the routes that make reservations, look them up and cancel them."""
    router = Router()

    @router.post(
        "/api/reservations",
        status_code=201,
        operation_id="reserve",
        summary="Reserve a device; the error `slot_taken` names the nearest free slot",
        responses={
            201: body_of(ReservationResponse),
            **may_not_create("quota_exceeded"),
            409: refusal("slot_taken", "no_device_available"),
        },
    )
    @router.allow(Access.OWNER)
    def reserve(
        body: NewReservation, idempotency_key: IdempotencyKeyHeader = None
    ) -> ReservationResponse:
        router.caller.require(body.user_id)
        creations.require(router.caller)
        slot = _slot(body, default_minutes)
        requirements = Requirements(body.min_cpu_cores or 0, body.min_memory_mb or 0)
        request = ReservationRequest(body.user_id, slot, requirements, idempotency_key)
        reserved = book.reserve(request)
        creations.count(router.caller)
        return _to_response(reserved)

    @router.get(
        "/api/reservations/<reservation_id>",
        operation_id="getReservation",
        summary="Get a reservation",
    )
    @router.allow(Access.OWNER)
    def look_up(reservation_id: PathId) -> ReservationResponse:
        return _to_response(_find_own(reservation_id))

    @router.delete(
        "/api/reservations/<reservation_id>",
        operation_id="cancelReservation",
        summary="Cancel a reservation; one that has ended does not change",
    )
    @router.allow(Access.OWNER)
    def cancel(reservation_id: PathId) -> ReservationResponse:
        return _to_response(book.cancel(_find_own(reservation_id)))

    @router.get(
        "/api/reservations/user/<user_id>",
        operation_id="listReservations",
        summary="List a user's reservations that have not started, earliest first",
    )
    @router.allow(Access.OWNER)
    def of_user(user_id: PathId) -> ReservationsResponse:
        with database.transaction() as sql:
            found = reservations.of_user(sql, user_id)
        return ReservationsResponse(items=[_to_response(one) for one in found])

    def _find_own(reservation_id: str) -> Reservation:
        with database.transaction() as sql:
            found = reservations.find(sql, reservation_id)
        if found is None:
            raise not_found("reservation")
        router.caller.require(found.user_id)
        return found

    return router


def _slot(body: NewReservation, default_minutes: int) -> Slot:
    now = datetime.now(UTC)
    if not now <= body.starts_at <= now + MAX_AHEAD:  # before conversion, which may overflow
        raise invalid(("body.startsAt", f"must be within the next {MAX_AHEAD.days} days"))
    start = body.starts_at.astimezone(UTC)
    return Slot(start, start + timedelta(minutes=body.duration_minutes or default_minutes))


def _to_response(reservation: Reservation) -> ReservationResponse:
    return ReservationResponse(
        id=reservation.id,
        user_id=reservation.user_id,
        status=reservation.status,
        starts_at=reservation.slot.start,
        ends_at=reservation.slot.end,
        min_cpu_cores=reservation.requirements.cpu_cores,
        min_memory_mb=reservation.requirements.memory_mb,
        created_at=reservation.created_at,
        ended_at=reservation.ended_at,
        allocation_id=reservation.allocation_id,
    )
