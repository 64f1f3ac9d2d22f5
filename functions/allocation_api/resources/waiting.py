"""Queued requests for a device: looked up and cancelled."""

from collections.abc import Sequence
from datetime import datetime

from pymysql.cursors import Cursor

from allocation_api.access import Access, Router
from allocation_api.errors import not_found
from allocation_api.fields import PathId, ResponseBody
from scheduler.allocation.waiting_line import WaitingLine
from scheduler.database import waiting
from scheduler.database.connection import Database
from scheduler.domain.waiting import WaitingEntry, WaitingStatus


class WaitingPlaceResponse(ResponseBody):
    """A queued request for a device.

    The position counts from 1 and is known only while the status is ``WAITING``. Once it is
    ``SERVED``, there is an allocation with the same id.
    """

    id: str
    user_id: str
    status: WaitingStatus
    position: int | None
    priority: int
    duration_minutes: int
    min_cpu_cores: int
    min_memory_mb: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    allocation_id: str | None


class WaitingPlacesResponse(ResponseBody):
    """The queued requests of a user, oldest first."""

    items: list[WaitingPlaceResponse]


def to_responses(cursor: Cursor, entries: Sequence[WaitingEntry]) -> list[WaitingPlaceResponse]:
    """Return entries with their positions in the line."""
    positions = waiting.positions(cursor, entries)
    return [_to_response(entry, positions.get(entry.id)) for entry in entries]


def waiting_routes(database: Database, line: WaitingLine) -> Router:
    """Return the routes that look up queued requests and cancel them."""
    router = Router()

    @router.get(
        "/api/allocations/waiting/<place_id>",
        operation_id="getPlace",
        summary="Get a queued request and its position",
    )
    @router.allow(Access.OWNER)
    def look_up(place_id: PathId) -> WaitingPlaceResponse:
        return _with_position(_find_own(place_id))

    @router.delete(
        "/api/allocations/waiting/<place_id>",
        operation_id="leaveLine",
        summary="Cancel a queued request; one that has ended does not change",
    )
    @router.allow(Access.OWNER)
    def leave(place_id: PathId) -> WaitingPlaceResponse:
        return _with_position(line.leave(_find_own(place_id)))

    @router.get(
        "/api/allocations/waiting/user/<user_id>",
        operation_id="listPlaces",
        summary="List a user's queued requests, oldest first",
    )
    @router.allow(Access.OWNER)
    def of_user(user_id: PathId) -> WaitingPlacesResponse:
        with database.transaction() as sql:
            return WaitingPlacesResponse(items=to_responses(sql, waiting.of_user(sql, user_id)))

    def _find_own(entry_id: str) -> WaitingEntry:
        with database.transaction() as sql:
            found = waiting.find(sql, entry_id)
        if found is None:
            raise not_found("queued request")
        router.caller.require(found.user_id)
        return found

    def _with_position(entry: WaitingEntry) -> WaitingPlaceResponse:
        with database.transaction() as sql:
            return to_responses(sql, [entry])[0]

    return router


def _to_response(entry: WaitingEntry, position: int | None) -> WaitingPlaceResponse:
    return WaitingPlaceResponse(
        id=entry.id,
        user_id=entry.user_id,
        status=entry.status,
        position=position,
        priority=entry.priority,
        duration_minutes=entry.minutes,
        min_cpu_cores=entry.requirements.cpu_cores,
        min_memory_mb=entry.requirements.memory_mb,
        created_at=entry.created_at,
        expires_at=entry.expires_at,
        ended_at=entry.ended_at,
        allocation_id=entry.allocation_id,
    )
