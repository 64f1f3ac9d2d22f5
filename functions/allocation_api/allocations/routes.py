"""Routes of single allocations, and of lists."""

from dataclasses import replace
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header

from allocation_api.allocations.models import (
    Allocation,
    AllocationPage,
    Extension,
    NewAllocation,
    Wishes,
)
from allocation_api.allocations.shown import cursor_parts, position, shown
from allocation_api.errors import CONTENT_TYPE, forbidden, not_found
from allocation_api.pages import DEFAULT_LIMIT, Cursor, Limit, page
from allocation_api.routing import Router
from allocation_api.waiting.desk import Desk
from allocation_api.waiting.models import WaitingPlace
from allocation_api.wire import PathId
from scheduler.allocation.allocate import AllocationRequest
from scheduler.allocation.leases import Leases
from scheduler.database import allocations
from scheduler.database.allocations import AllocationRecord, AllocationStatus
from scheduler.database.connection import Database
from scheduler.domain.quota import Requirements

IdempotencyKey = Annotated[
    str | None, Header(alias="idempotency-key", pattern=r"^[\x21-\x7e]{1,128}$")
]


def wanted(body: Wishes, key: str | None, default_minutes: int) -> AllocationRequest:
    """Return what a request asks for."""
    wish = Requirements(body.min_cpu_cores or 0, body.min_memory_mb or 0)
    return AllocationRequest(body.user_id, body.duration_minutes or default_minutes, wish, key)


def allocation_routes(
    database: Database, desk: Desk, leases: Leases, default_minutes: int
) -> Router:
    """Return the routes, which ask for devices, give them back and look up who holds them."""
    router = Router()

    @router.post("/api/allocations", status_code=201)
    def allocate(
        body: NewAllocation, idempotency_key: IdempotencyKey = None
    ) -> Response[Allocation | WaitingPlace]:
        router.caller.require(body.user_id)
        if body.priority and not router.caller.is_admin:
            raise forbidden("only an administrator may give a priority")
        request = replace(
            wanted(body, idempotency_key, default_minutes), wait=body.wait, priority=body.priority
        )
        status, answer = desk.ask(request, router.caller.actor)
        return Response(status, CONTENT_TYPE, answer)

    @router.get("/api/allocations/<allocation_id>")
    def look_up(allocation_id: PathId) -> Allocation:
        return shown(_owned(allocation_id))

    @router.delete("/api/allocations/<allocation_id>")
    def release(allocation_id: PathId) -> Allocation:
        (released,) = leases.release([_owned(allocation_id)], router.caller.actor)
        return shown(released)

    @router.post("/api/allocations/<allocation_id>/extend")
    def extend(
        allocation_id: PathId, body: Extension, idempotency_key: IdempotencyKey = None
    ) -> Allocation:
        (extended,) = leases.extend(
            [_owned(allocation_id)], body.additional_minutes, router.caller.actor, idempotency_key
        )
        if isinstance(extended, Exception):
            raise extended
        return shown(extended)

    @router.get("/api/allocations/user/<user_id>")
    def of_user(
        user_id: PathId,
        status: AllocationStatus | None = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> AllocationPage:
        before = position(cursor) if cursor else None
        with database.transaction() as sql:
            rows = allocations.of_user(sql, user_id, status, before, limit + 1)
        items, next_cursor = page(rows, limit, cursor_parts)
        return AllocationPage(items=[shown(row) for row in items], next_cursor=next_cursor)

    def _owned(allocation_id: str) -> AllocationRecord:
        with database.transaction() as sql:
            found = allocations.find(sql, allocation_id)
        if found is None:
            raise not_found("allocation")
        router.caller.require(found.user_id)
        return found

    return router
