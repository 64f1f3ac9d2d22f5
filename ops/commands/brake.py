"""``scheduler-ops brake``: holds or allows releases when many devices fail at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ops.durations import parse_length
from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.options import connects
from ops.terminal import age, counted, print_result, printable

app = typer.Typer(
    no_args_is_help=True,
    help="Hold or allow releases when many devices fail at once: the releases by device.failed and"
    " device.status_changed.",
)


@app.command()
@connects
def status(*, operations: Operations, as_json: bool) -> None:
    """Show the brake, and the releases of the last minute."""
    _act(operations, "brake.status", as_json=as_json)


@app.command()
@connects
def engage(*, operations: Operations, as_json: bool) -> None:
    """Hold all releases until `brake release` or `brake arm`.

    Held messages wait in their retry queues, are tried again every minute, and use up no attempts.
    """
    _act(operations, "brake.engage", as_json=as_json)


@app.command()
@connects
def release(
    *,
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Duration: 90s, 30m, 2h, 7d.")
    ] = "1h",
    operations: Operations,
    as_json: bool,
) -> None:
    """Allow all releases, because the failures are real.

    Held messages are processed within a minute. After the duration the limit applies again.
    """
    seconds = int(parse_length(for_).total_seconds())
    _act(operations, "brake.release", as_json=as_json, seconds=seconds)


@app.command()
@connects
def arm(*, operations: Operations, as_json: bool) -> None:
    """Apply the limit again: end `brake engage` and `brake release`."""
    _act(operations, "brake.arm", as_json=as_json)


def _act(operations: Operations, operation: str, *, as_json: bool, **arguments: Any) -> None:  # noqa: ANN401 - any JSON
    found = operations.call(operation, arguments)
    print_result(_text(found, datetime.now(UTC)), found, as_json=as_json)


def _text(found: dict[str, Any], now: datetime) -> str:
    released = counted(found["releasedLately"], "device")
    held = counted(found["heldLately"], "message")
    lines = [
        f"{found['brake']}{_details(found, now)}",
        f"within the last minute: {released} released, {held} held",
        _running(found, now),
    ]
    if found["engagedAt"]:
        lines += [
            "Real failures: scheduler-ops brake release",
            "False alarm: have the devices reported as running; they stay with their users.",
            "             When no messages are held: scheduler-ops brake arm",
        ]
    return "\n".join(lines)


def _running(found: dict[str, Any], now: datetime) -> str:
    if found["countedAt"] is None:
        return "running devices: not counted yet; the limit is the fixed number of devices"
    ago = age(datetime.fromisoformat(found["countedAt"]), now)
    return f"running devices: {found['runningDevices']}, counted {ago} ago"


def _details(found: dict[str, Any], now: datetime) -> str:
    if found["engagedAt"]:
        since = datetime.fromisoformat(found["engagedAt"])
        by = printable(str(found["engagedBy"]))
        return f" by {by} for {age(since, now)}: releases are held"
    if found["brake"] == "open":
        until = datetime.fromisoformat(found["openUntil"])
        return f" until {until:%Y-%m-%d %H:%M:%S} UTC: all releases are allowed"
    return ": the limit applies"
