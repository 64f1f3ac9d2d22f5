"""Devices of the pool."""

from typing import Any, Final, NamedTuple

from pymysql.cursors import Cursor

from allocation_api.access import Access, Router
from allocation_api.errors import not_found
from allocation_api.fields import PathId, ResponseBody
from allocation_api.pages import (
    DEFAULT_PAGE_SIZE,
    PageCursor,
    PageLimit,
    decode_cursor,
    paginate,
)
from scheduler.database.connection import Database
from scheduler.domain.model import DeviceStatus, Health


class DeviceResponse(ResponseBody):
    """A device; sizes are in MB, 0 if unknown.

    The adb address is shown to the user who holds the device, and to administrators.
    """

    id: str
    name: str
    status: DeviceStatus
    health: Health
    cpu_cores: int
    memory_mb: int
    storage_mb: int
    adb_host: str | None
    adb_port: int | None


class DevicePage(ResponseBody):
    """A page of devices, ordered by id."""

    items: list[DeviceResponse]
    next_cursor: str | None


class DeviceRow(NamedTuple):
    """A device, and the id of the user who holds it."""

    id: str
    name: str
    status: str
    health: str
    cpu_cores: int
    memory_mb: int
    storage_mb: int
    adb_host: str | None
    adb_port: int | None
    holder: str | None


_SELECT: Final = """
    SELECT d.id, d.name, d.status, d.health, d.cpu_cores, d.memory_mb, d.storage_mb,
           d.adb_host, d.adb_port, a.user_id
    FROM devices d LEFT JOIN allocations a ON a.active_device_id = d.id
"""
_SELECT_ONE: Final = f"{_SELECT} WHERE d.id = %s"
_SELECT_PAGE: Final = f"{_SELECT} WHERE d.id > %s {{filters}} ORDER BY d.id LIMIT %s"


def select_device(cursor: Cursor, device_id: str) -> DeviceRow | None:
    """Return a device; None if there is none with that id."""
    cursor.execute(_SELECT_ONE, (device_id,))
    row = cursor.fetchone()
    return DeviceRow(*row) if row else None


def select_devices(
    cursor: Cursor, status: DeviceStatus | None, health: Health | None, after: str, limit: int
) -> list[DeviceRow]:
    """Return devices, ordered by id.

    Args:
        cursor: of a transaction.
        status: only devices in this state; None means all.
        health: only devices of this health; None means all.
        after: the last id of the previous page; empty starts at the first.
        limit: how many at most.
    """
    optional: dict[str, Any] = {"status": status, "health": health}
    given = {name: value for name, value in optional.items() if value}
    filters = " ".join(f"AND d.{name} = %s" for name in given)
    cursor.execute(_SELECT_PAGE.format(filters=filters), (after, *given.values(), limit))
    return [DeviceRow(*row) for row in cursor.fetchall()]


def device_routes(database: Database) -> Router:
    """Return the routes that show the pool."""
    router = Router()

    @router.get(
        "/api/devices", operation_id="listDevices", summary="List the devices, ordered by id"
    )
    @router.allow(Access.USER)
    def in_pool(
        status: DeviceStatus | None = None,
        health: Health | None = None,
        limit: PageLimit = DEFAULT_PAGE_SIZE,
        cursor: PageCursor = None,
    ) -> DevicePage:
        (after,) = decode_cursor(cursor, parts=1) if cursor else [""]
        with database.transaction() as sql:
            rows = select_devices(sql, status, health, after, limit + 1)
        page, next_cursor = paginate(rows, limit, lambda row: (row.id,))
        return DevicePage(items=[_to_response(row) for row in page], next_cursor=next_cursor)

    @router.get("/api/devices/<device_id>", operation_id="getDevice", summary="Get a device")
    @router.allow(Access.USER)
    def look_up(device_id: PathId) -> DeviceResponse:
        with database.transaction() as sql:
            found = select_device(sql, device_id)
        if found is None:
            raise not_found("device")
        return _to_response(found)

    def _to_response(row: DeviceRow) -> DeviceResponse:
        response = DeviceResponse.model_validate(row)
        if row.holder == router.caller.user_id or router.caller.is_admin:
            return response
        return response.model_copy(update={"adb_host": None, "adb_port": None})

    return router
