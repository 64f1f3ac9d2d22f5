"""Routes of devices."""

from allocation_api.devices import queries
from allocation_api.devices.models import Device, DevicePage
from allocation_api.devices.queries import DeviceRow
from allocation_api.errors import not_found
from allocation_api.pages import DEFAULT_LIMIT, Cursor, Limit, page, read_cursor
from allocation_api.routing import Router
from allocation_api.wire import PathId
from scheduler.database.connection import Database
from scheduler.domain.model import DeviceStatus, Health


def device_routes(database: Database) -> Router:
    """Return the routes, which show the pool."""
    router = Router()

    @router.get("/api/devices")
    def in_pool(
        status: DeviceStatus | None = None,
        health: Health | None = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> DevicePage:
        (after,) = read_cursor(cursor, parts=1) if cursor else [""]
        with database.transaction() as sql:
            rows = queries.in_pool(sql, status, health, after, limit + 1)
        items, next_cursor = page(rows, limit, lambda row: (row.id,))
        return DevicePage(items=[_shown(row) for row in items], next_cursor=next_cursor)

    @router.get("/api/devices/<device_id>")
    def look_up(device_id: PathId) -> Device:
        with database.transaction() as sql:
            found = queries.find(sql, device_id)
        if found is None:
            raise not_found("device")
        return _shown(found)

    def _shown(row: DeviceRow) -> Device:
        device = Device.model_validate(row)
        if row.holder == router.caller.user_id or router.caller.is_admin:
            return device
        return device.model_copy(update={"adb_host": None, "adb_port": None})

    return router
