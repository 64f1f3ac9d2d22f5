"""Who held a device, and until when; for administrators."""

from allocation_api.access import Access, Router
from allocation_api.fields import PathId
from allocation_api.pages import DEFAULT_PAGE_SIZE, PageCursor, PageLimit
from allocation_api.resources.allocations import AllocationPage, page_position, to_page
from scheduler.database import allocations
from scheduler.database.connection import Database


def device_allocation_routes(database: Database) -> Router:
    """Return the route that lists the allocations of a device."""
    router = Router()

    @router.get(
        "/api/devices/<device_id>/allocations",
        operation_id="listDeviceAllocations",
        summary="List a device's allocations, newest first",
    )
    @router.allow(Access.ADMIN)
    def of_device(
        device_id: PathId, limit: PageLimit = DEFAULT_PAGE_SIZE, cursor: PageCursor = None
    ) -> AllocationPage:
        before = page_position(cursor) if cursor else None
        with database.transaction() as sql:
            found = allocations.of_device(sql, device_id, before, limit + 1)
        return to_page(found, limit, router.language)

    return router
