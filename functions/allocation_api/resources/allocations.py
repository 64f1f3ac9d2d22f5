"""Allocations: requested, looked up, released and extended one at a time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from pydantic import Field, StrictBool

from allocation_api.access import Access, Router
from allocation_api.errors import CONTENT_TYPE, forbidden, not_found
from allocation_api.fields import (
    WHOLE,
    IdempotencyKeyHeader,
    Minutes,
    PathId,
    Quantity,
    RequestBody,
    ResponseBody,
)
from allocation_api.limits import CreationLimits
from allocation_api.openapi.responses import body_of, may_not_create, refusal
from allocation_api.pages import (
    DEFAULT_PAGE_SIZE,
    PageCursor,
    PageLimit,
    decode_cursor,
    invalid_cursor,
    paginate,
)
from allocation_api.resources import waiting
from allocation_api.resources.waiting import WaitingPlaceResponse
from scheduler.allocation.allocate import AllocationRequest, Allocator, AlreadyWaitingError
from scheduler.allocation.leases import Leases
from scheduler.allocation.waiting_line import WaitingLine
from scheduler.database import allocations
from scheduler.database import waiting as entries
from scheduler.database.allocations import AllocationRecord, AllocationStatus, PagePosition
from scheduler.database.connection import Database
from scheduler.domain.quota import Requirements
from scheduler.domain.refusal import Refusal, RefusedError
from scheduler.ids import is_uuid
from scheduler.messaging.contract import ResourceId


class DeviceRequest(RequestBody):
    """The user, the duration, and the minimum size of the device."""

    user_id: ResourceId
    duration_minutes: Minutes | None = None
    min_cpu_cores: Quantity | None = None
    min_memory_mb: Quantity | None = None


class NewAllocation(DeviceRequest):
    """A request for a device; with ``wait``, it is queued if no device is free.

    Queued requests of the highest priority are served first. Only an administrator may set one.
    """

    wait: StrictBool = False
    priority: Annotated[int, Field(strict=True, ge=0, le=9), WHOLE] = 0


class Extension(RequestBody):
    """How much longer an allocation is to last."""

    additional_minutes: Minutes


class AllocationResponse(ResponseBody):
    """An active or ended allocation; the adb address is null once it has ended.

    ``releaseCode`` is for programs. ``releaseReason`` is the text for people in the language of
    ``Accept-Language``, else in the user's.
    """

    id: str
    user_id: str
    device_id: str
    device_name: str | None
    status: AllocationStatus
    allocated_at: datetime
    expires_at: datetime
    released_at: datetime | None
    duration_seconds: int | None
    release_code: str | None
    release_reason: str | None
    adb_host: str | None
    adb_port: int | None


class AllocationPage(ResponseBody):
    """A page of a user's allocations, newest first."""

    items: list[AllocationResponse]
    next_cursor: str | None


def to_response(allocation: AllocationRecord, language: str | None) -> AllocationResponse:
    """Return an allocation as its user sees it; without a language, in the user's."""
    active = allocation.status is AllocationStatus.ALLOCATED
    return AllocationResponse(
        id=allocation.id,
        user_id=allocation.user_id,
        device_id=allocation.device_id,
        device_name=allocation.device_name,
        status=allocation.status,
        allocated_at=allocation.allocated_at,
        expires_at=allocation.expires_at,
        released_at=allocation.released_at,
        duration_seconds=allocation.duration_seconds,
        release_code=allocation.reason.code,
        release_reason=allocation.reason.in_language(language or allocation.locale),
        # Another user may hold the device by now.
        adb_host=allocation.adb_host if active else None,
        adb_port=allocation.adb_port if active else None,
    )


def to_request(body: DeviceRequest, key: str | None, default_minutes: int) -> AllocationRequest:
    """Return the request in a body."""
    requirements = Requirements(body.min_cpu_cores or 0, body.min_memory_mb or 0)
    minutes = body.duration_minutes or default_minutes
    return AllocationRequest(body.user_id, minutes, requirements, key)


class AllocateOrWait:
    """Allocates devices, and queues requests that may wait. Not thread-safe."""

    def __init__(self, database: Database, allocator: Allocator, line: WaitingLine) -> None:
        self._database = database
        self._allocator = allocator
        self._line = line

    def handle(
        self, request: AllocationRequest, actor: str, language: str | None
    ) -> tuple[HTTPStatus, AllocationResponse | WaitingPlaceResponse]:
        """Return 201 and an allocation, or 202 and a queued request.

        Raises:
            RefusedError: the state or the quota of the user does not allow it, or no device is
                free and the request may not wait.
            KeyReusedError: the idempotency key belongs to another request.
            PoolContendedError, StaleSnapshotError, pymysql.MySQLError: transaction conflicts
                exhausted the retries.
            DatabaseUnavailableError: the database is unavailable.
        """
        try:
            allocation = self._allocator.allocate(request, actor)
            return HTTPStatus.CREATED, to_response(allocation, language)
        except AlreadyWaitingError as before:
            return self._look_up(before.entry_id, language)
        except RefusedError as refused:
            if not request.wait or refused.refusal is not Refusal.NO_DEVICE_AVAILABLE:
                raise
        return self._look_up(self._line.join(request), language)

    def _look_up(
        self, id_: str, language: str | None
    ) -> tuple[HTTPStatus, AllocationResponse | WaitingPlaceResponse]:
        with self._database.transaction() as cursor:
            if allocation := allocations.find(cursor, id_):
                return HTTPStatus.CREATED, to_response(allocation, language)
            entry = entries.find(cursor, id_)
            if entry is None:
                raise LookupError(f"neither an allocation nor a waiting entry has the id {id_}")
            return HTTPStatus.ACCEPTED, waiting.to_responses(cursor, [entry])[0]


def allocation_routes(
    database: Database,
    allocate_or_wait: AllocateOrWait,
    leases: Leases,
    creations: CreationLimits,
    default_minutes: int,
) -> Router:
    """Return the routes of single allocations, and of a user's list."""
    router = Router()

    @router.post(
        "/api/allocations",
        operation_id="allocate",
        summary="Allocate a device; with `wait`, queue the request if none is free",
        responses={
            201: body_of(AllocationResponse),
            202: body_of(WaitingPlaceResponse),
            **may_not_create("quota_exceeded"),
            409: refusal("no_device_available"),
        },
    )
    @router.allow(Access.OWNER)
    def allocate(
        body: NewAllocation, idempotency_key: IdempotencyKeyHeader = None
    ) -> Response[AllocationResponse | WaitingPlaceResponse]:
        router.caller.require(body.user_id)
        if body.priority and not router.caller.is_admin:
            raise forbidden("only an administrator may set a priority")
        creations.require(router.caller)
        request = replace(
            to_request(body, idempotency_key, default_minutes),
            wait=body.wait,
            priority=body.priority,
        )
        status, response = allocate_or_wait.handle(request, router.caller.actor, router.language)
        creations.count(router.caller)
        return Response(status, CONTENT_TYPE, response)

    @router.get(
        "/api/allocations/<allocation_id>",
        operation_id="getAllocation",
        summary="Get an allocation",
    )
    @router.allow(Access.OWNER)
    def look_up(allocation_id: PathId) -> AllocationResponse:
        return to_response(_find_own(allocation_id), router.language)

    @router.delete(
        "/api/allocations/<allocation_id>",
        operation_id="release",
        summary="Release a device; releasing it again changes nothing",
    )
    @router.allow(Access.OWNER)
    def release(allocation_id: PathId) -> AllocationResponse:
        (released,) = leases.release([_find_own(allocation_id)], router.caller.actor)
        return to_response(released, router.language)

    @router.post(
        "/api/allocations/<allocation_id>/extend",
        operation_id="extend",
        summary="Extend an active allocation",
        responses={
            200: body_of(AllocationResponse),
            **may_not_create(),
            409: refusal("not_active", "duration_exceeded", "device_reserved"),
        },
    )
    @router.allow(Access.OWNER)
    def extend(
        allocation_id: PathId, body: Extension, idempotency_key: IdempotencyKeyHeader = None
    ) -> AllocationResponse:
        allocation, minutes = _find_own(allocation_id), body.additional_minutes
        creations.require(router.caller)
        (extended,) = leases.extend([allocation], minutes, router.caller.actor, idempotency_key)
        if isinstance(extended, Exception):
            raise extended
        creations.count(router.caller)
        return to_response(extended, router.language)

    @router.get(
        "/api/allocations/user/<user_id>",
        operation_id="listAllocations",
        summary="List a user's allocations, newest first",
    )
    @router.allow(Access.OWNER)
    def of_user(
        user_id: PathId,
        status: AllocationStatus | None = None,
        limit: PageLimit = DEFAULT_PAGE_SIZE,
        cursor: PageCursor = None,
    ) -> AllocationPage:
        before = page_position(cursor) if cursor else None
        with database.transaction() as sql:
            found = allocations.of_user(sql, user_id, status, before, limit + 1)
        return to_page(found, limit, router.language)

    def _find_own(allocation_id: str) -> AllocationRecord:
        with database.transaction() as sql:
            found = allocations.find(sql, allocation_id)
        if found is None:
            raise not_found("allocation")
        router.caller.require(found.user_id)
        return found

    return router


def to_page(found: Sequence[AllocationRecord], limit: int, language: str | None) -> AllocationPage:
    """Return a page of allocations; of one more than the limit, the last is on the next page."""
    page, next_cursor = paginate(found, limit, lambda a: (a.allocated_at.isoformat(), a.id))
    items = [to_response(one, language) for one in page]
    return AllocationPage(items=items, next_cursor=next_cursor)


def page_position(cursor: str) -> PagePosition:
    """Return the allocation after which a page starts.

    Raises:
        ApiError: 422, the cursor was not made by a list of allocations.
    """
    moment, id_ = decode_cursor(cursor, parts=2)
    try:
        allocated_at = datetime.fromisoformat(moment)
    except ValueError:
        raise invalid_cursor() from None
    if allocated_at.utcoffset() != timedelta(0) or not is_uuid(id_):
        raise invalid_cursor()
    return PagePosition(allocated_at, id_)
