"""Looks up a user or a device."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field
from pydantic.alias_generators import to_camel

from operations.context import Arguments, OperationContext
from operations.errors import OpsError
from scheduler.database import lookups

if TYPE_CHECKING:
    from typing import NamedTuple


class UserArguments(Arguments):
    """Which user."""

    user_id: str = Field(min_length=1, max_length=64)


class DeviceArguments(Arguments):
    """Which device."""

    device_id: str = Field(min_length=1, max_length=64)


def read_user(context: OperationContext, arguments: UserArguments) -> dict[str, Any]:
    """Return a user and the devices that they hold.

    Raises:
        OpsError: there is no such user.
    """
    with context.transaction() as cursor:
        found = lookups.find_user(cursor, arguments.user_id)
    if found is None:
        raise OpsError(f"there is no user {arguments.user_id}")
    user, held = found
    return _to_json(user) | {"devices": [_to_json(one) for one in held]}


def read_device(context: OperationContext, arguments: DeviceArguments) -> dict[str, Any]:
    """Return a device, and its holder if it has one.

    Raises:
        OpsError: there is no such device.
    """
    with context.transaction() as cursor:
        found = lookups.find_device(cursor, arguments.device_id)
    if found is None:
        raise OpsError(f"there is no device {arguments.device_id}")
    return _to_json(found)


def _to_json(row: NamedTuple) -> dict[str, Any]:
    return {
        to_camel(name): value.isoformat() if isinstance(value, datetime) else value
        for name, value in row._asdict().items()
    }
