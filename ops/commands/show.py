"""``scheduler-ops show``: one user, one device, one message, or all devices in a state."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ops.commands.timeline import entry_lines
from ops.interface import Operations, calls
from ops.options import connects
from ops.terminal import counted, print_result
from scheduler.domain.model import DeviceStatus, Health  # noqa: TC001 - Typer reads them at run time

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_SHOWN: Final = 50
"""Of devices or effects; `--json` has all that the operation returns."""
_PAGE: Final = 200
_NOT_RECEIVED: Final = (
    "No function has received it within the last month. Is the id right? It may still wait in its"
    " queue: scheduler-ops watch"
)

app = typer.Typer(no_args_is_help=True, help="Show one user, device or message, or list devices.")


@app.command("user")
@connects
def user(
    id_: Annotated[str, typer.Argument(metavar="ID", help="User id, e.g. user-123.")],
    *,
    operations: Operations,
    as_json: bool,
) -> None:
    """Show a user: status, quota, and the devices that they hold."""
    found = operations.call("user", {"userId": id_})
    print_result("\n".join(_user_lines(found)), found, as_json=as_json)


@app.command("device")
@connects
def device(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Device id, e.g. device-001.")],
    *,
    operations: Operations,
    as_json: bool,
) -> None:
    """Show a device: status, health, and who holds it."""
    found = operations.call("device", {"deviceId": id_})
    print_result("\n".join(_device_lines(found)), found, as_json=as_json)


@app.command("devices")
@connects
def devices(
    *,
    health: Annotated[Health | None, typer.Option(help="Only devices with this health.")] = None,
    status: Annotated[
        DeviceStatus | None, typer.Option(help="Only devices that users hold, or do not.")
    ] = None,
    operations: Operations,
    as_json: bool,
) -> None:
    """List devices with status, health and holder, one a line."""
    filters = {"health": health, "status": status, "limit": _PAGE}
    found = None
    for page in calls(operations, "devices", filters):
        for found in page["items"]:
            print_result(_listed(found), found, as_json=as_json)
    if found is None and not as_json:
        print_result("no device has this health and status", {}, as_json=False)


@app.command("message")
@connects
def message(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The id that its publisher gave it.")],
    *,
    operations: Operations,
    as_json: bool,
) -> None:
    """Show what became of a message in each queue, and what it caused."""
    found = operations.call("message", {"id": id_})
    print_result("\n".join(_message_lines(found)), found, as_json=as_json)


def _user_lines(found: dict[str, Any]) -> Iterator[str]:
    limits = {"CPU cores": found["maxCpu"], "MB of memory": found["maxMemoryMb"]}
    more = "".join(f", {value} {name}" for name, value in limits.items() if value is not None)
    hold = ", on hold for unpaid bills" if found["billingHold"] else ""
    yield f"user {found['id']}: {found['status']}{hold}"
    yield f"quota: {counted(found['maxDevices'], 'device')}{more}; language: {found['locale']}"
    held = [
        f"{one['deviceId']} since {_minute(one['allocatedAt'])},"
        f" until {_minute(one['expiresAt'])} (allocation {one['allocationId']})"
        for one in found["devices"]
    ]
    yield f"holds {counted(len(held), 'device')}{':' if held else ''}"
    yield from _first(held, "devices")


def _device_lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"device {found['id']} ({found['name']}): {found['status']}, {found['health']}"
    if found["userId"]:
        yield (
            f"held by {found['userId']} since {_minute(found['allocatedAt'])},"
            f" until {_minute(found['expiresAt'])} (allocation {found['allocationId']})"
        )
    else:
        yield "held by nobody"


def _listed(found: dict[str, Any]) -> str:
    holder = f", held by {found['userId']}" if found["userId"] else ""
    return f"{found['id']}: {found['status']}, {found['health']}{holder}"


def _message_lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"message {found['id']}"
    if not found["received"]:
        yield _NOT_RECEIVED
        return
    yield from _entries(found["received"], "queues")
    yield f"caused {len(found['effects'])}:" if found["effects"] else "caused nothing"
    yield from _entries(found["effects"], "effects")
    if not found["complete"]:
        yield "More happened to its user or device than is read: effects may be missing."


def _entries(entries: list[dict[str, Any]], what: str) -> Iterator[str]:
    for one in entries[:_MAX_SHOWN]:
        at = datetime.fromisoformat(one["at"])
        first, *others = entry_lines(one, at)
        yield f"{at:%Y-%m-%d} {first}"
        yield from others
        if one["nextStep"]:
            yield f"          Next: {one['nextStep']}"
    yield from _left_off(len(entries), what)


def _first(lines: list[str], what: str) -> Iterator[str]:
    yield from (f"  {line}" for line in lines[:_MAX_SHOWN])
    yield from _left_off(len(lines), what)


def _left_off(count: int, what: str) -> Iterator[str]:
    if count > _MAX_SHOWN:
        yield f"and {count - _MAX_SHOWN} more {what}; --json prints them"


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M} UTC"
