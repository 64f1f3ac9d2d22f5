"""Routes of allocations."""

from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

from allocation_api.allocations.models import Allocation, AllocationPage, NewAllocation
from allocation_api.errors import not_found
from allocation_api.pages import DEFAULT_LIMIT, Cursor, Limit, foreign_cursor, page, read_cursor
from allocation_api.routing import Router
from allocation_api.wire import PathId
from scheduler.allocation import record
from scheduler.allocation.allocator import Allocator, Wanted
from scheduler.allocation.quota import Wish
from scheduler.allocation.record import AllocationRecord, AllocationStatus, Position
from scheduler.database.connection import Database
from scheduler.ids import is_uuid
from scheduler.settings import AllocationSettings

IdempotencyKey = Annotated[
    str | None, Header(alias="idempotency-key", pattern=r"^[\x21-\x7e]{1,128}$")
]


def allocation_routes(
    database: Database, allocator: Allocator, settings: AllocationSettings
) -> Router:
    """Return the routes, which ask for devices, give them back and look up who holds them."""
    router = Router()

    @router.post("/api/allocations", status_code=201)
    def allocate(body: NewAllocation, idempotency_key: IdempotencyKey = None) -> Allocation:
        router.caller.require(body.user_id)
        minutes = body.duration_minutes or settings.default_duration_minutes
        wish = Wish(body.min_cpu_cores or 0, body.min_memory_mb or 0)
        return _shown(allocator.allocate(Wanted(body.user_id, minutes, wish, idempotency_key)))

    @router.get("/api/allocations/<allocation_id>")
    def look_up(allocation_id: PathId) -> Allocation:
        return _shown(_owned(allocation_id))

    @router.delete("/api/allocations/<allocation_id>")
    def release(allocation_id: PathId) -> Allocation:
        return _shown(allocator.release(_owned(allocation_id)))

    @router.get("/api/allocations/user/<user_id>")
    def of_user(
        user_id: PathId,
        status: AllocationStatus | None = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> AllocationPage:
        before = _position(cursor) if cursor else None
        with database.transaction() as sql:
            rows = record.of_user(sql, user_id, status, before, limit + 1)
        items, next_cursor = page(rows, limit, _cursor_parts)
        return AllocationPage(items=[_shown(row) for row in items], next_cursor=next_cursor)

    def _owned(allocation_id: str) -> AllocationRecord:
        with database.transaction() as sql:
            found = record.find(sql, allocation_id)
        if found is None:
            raise not_found("allocation")
        router.caller.require(found.user_id)
        return found

    return router


def _shown(found: AllocationRecord) -> Allocation:
    allocation = Allocation.model_validate(found)
    if found.status is AllocationStatus.ALLOCATED:
        return allocation
    # Somebody else may hold the device by now.
    return allocation.model_copy(update={"adb_host": None, "adb_port": None})


def _cursor_parts(last: AllocationRecord) -> tuple[str, str]:
    return last.allocated_at.replace(tzinfo=None).isoformat(), last.id


def _position(cursor: str) -> Position:
    moment, id_ = read_cursor(cursor, parts=2)
    try:
        allocated_at = datetime.fromisoformat(moment)
    except ValueError:
        raise foreign_cursor() from None
    if allocated_at.tzinfo or not is_uuid(id_):
        raise foreign_cursor()
    return Position(allocated_at.replace(tzinfo=UTC), id_)
