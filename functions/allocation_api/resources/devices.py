"""Devices of the pool, and changes of name, size and adb address by administrators."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple

from pydantic import Field, StringConstraints
from pymysql.cursors import Cursor

from allocation_api.access import Access, Router
from allocation_api.errors import ApiError, not_found
from allocation_api.fields import WHOLE, PathId, Quantity, RequestBody, ResponseBody
from allocation_api.openapi.responses import body_of, refusal
from allocation_api.pages import (
    DEFAULT_PAGE_SIZE,
    PageCursor,
    PageLimit,
    decode_cursor,
    paginate,
)
from scheduler.database.connection import Database
from scheduler.domain.model import DeviceStatus, Health
from scheduler.observability.logger import service_logger
from scheduler.unit_of_work import UnitOfWork, UnitsOfWork

DeviceName = Annotated[
    str,
    StringConstraints(
        max_length=128,
        pattern=r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f\u2028\u2029]*[^\s\x00-\x1f\x7f-\x9f])?$",
    ),
]
"""Printable characters, without blanks at either end."""
Host = Annotated[str, StringConstraints(max_length=255, pattern=r"^[A-Za-z0-9._:-]+$")]
"""A host name or an IP address."""


class DeviceChange(RequestBody):
    """The fields to change: an absent one stays. Only a later device.created changes them again."""

    # The factories only make the fields optional without allowing null.
    name: Annotated[DeviceName, Field(default_factory=str)]
    cpu_cores: Annotated[Quantity, Field(default_factory=int)]
    memory_mb: Annotated[Quantity, Field(default_factory=int)]
    storage_mb: Annotated[Quantity, Field(default_factory=int)]
    adb_host: Annotated[Host, Field(default_factory=str)]
    adb_port: Annotated[int, Field(strict=True, ge=1, le=65_535, default_factory=int), WHOLE]


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

_logger: Final = service_logger()


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


def device_routes(database: Database, units: UnitsOfWork) -> Router:
    """Return the routes that show the pool and change its devices."""
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

    @router.put(
        "/api/devices/<device_id>",
        operation_id="changeDevice",
        summary="Change name, size or adb address of a device",
        responses={200: body_of(DeviceResponse), 409: refusal("device_deleted")},
    )
    @router.allow(Access.ADMIN)
    def change(device_id: PathId, body: DeviceChange) -> DeviceResponse:
        columns, actor = body.model_dump(exclude_unset=True), router.caller.actor
        units.run(lambda unit: _change(unit, device_id, columns, actor))
        if columns:
            details = {"device_id": device_id, "actor": actor, "changed": columns}
            _logger.info("Changed a device", extra=details)
        return look_up(device_id)

    def _to_response(row: DeviceRow) -> DeviceResponse:
        response = DeviceResponse.model_validate(row)
        if row.holder == router.caller.user_id or router.caller.is_admin:
            return response
        return response.model_copy(update={"adb_host": None, "adb_port": None})

    return router


def _change(unit: UnitOfWork, device_id: str, columns: Mapping[str, Any], actor: str) -> None:
    """Store new values by column; a free device that now fits is handed to a waiting user."""
    work = unit.lock(devices=[device_id], actor=actor)
    device = work.device(device_id)
    if not device.known:
        raise not_found("device")
    if device.health is Health.DELETED:
        raise ApiError(HTTPStatus.CONFLICT, "device_deleted", "the device was deleted")
    if columns:
        work.update_device(device._replace(**columns, edited_at=work.now))
