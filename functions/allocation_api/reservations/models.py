"""Reservations on the wire."""

from __future__ import annotations

from allocation_api.allocations.models import Minutes
from allocation_api.wire import Amount, Answer, Moment, RequestBody
from scheduler.domain.reservation import ReservationStatus
from scheduler.messaging.contract import Id, ZonedTime


class NewReservation(RequestBody):
    """Who wants a device from when on, for how long, and what it must have at least."""

    user_id: Id
    starts_at: ZonedTime
    duration_minutes: Minutes | None = None
    min_cpu_cores: Amount | None = None
    min_memory_mb: Amount | None = None


class Reservation(Answer):
    """A reservation, or what became of it.

    Once it is ``STARTED`` there is an allocation, which has the id of the reservation and ends
    with it. Which device it will be is seen there.
    """

    id: str
    user_id: str
    status: ReservationStatus
    starts_at: Moment
    ends_at: Moment
    min_cpu_cores: int
    min_memory_mb: int
    created_at: Moment
    ended_at: Moment | None
    allocation_id: str | None


class Reservations(Answer):
    """What is reserved for a user, the next first."""

    items: list[Reservation]
