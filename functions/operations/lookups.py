"""Looks up a user or a device."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from operations.context import Arguments, OperationContext
from operations.errors import OpsError
from operations.json_data import to_json
from scheduler.database import lookups


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
    return to_json(user) | {"devices": [to_json(one) for one in held]}


def read_device(context: OperationContext, arguments: DeviceArguments) -> dict[str, Any]:
    """Return a device, and its holder if it has one.

    Raises:
        OpsError: there is no such device.
    """
    with context.transaction() as cursor:
        found = lookups.find_device(cursor, arguments.device_id)
    if found is None:
        raise OpsError(f"there is no device {arguments.device_id}")
    return to_json(found)
