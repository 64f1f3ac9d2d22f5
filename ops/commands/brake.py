"""``scheduler-ops brake``: holds or allows releases when many devices fail at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops import options
from ops.database import transaction
from ops.dead_letters.selection import parse_duration
from ops.terminal import age, handled_errors, print_result
from scheduler.database import brake

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymysql.cursors import Cursor

    from scheduler.database.brake import BrakeStatus

app = typer.Typer(
    no_args_is_help=True,
    help="Hold or allow releases when many devices fail at once: the releases by device.failed and"
    " device.status_changed.",
)


@app.command()
def status(
    *, database: options.DatabaseUrlOption = None, as_json: options.JsonOption = False
) -> None:
    """Show the brake, and the releases of the last minute."""
    _act(None, database, as_json=as_json)


@app.command()
def engage(
    *, database: options.DatabaseUrlOption = None, as_json: options.JsonOption = False
) -> None:
    """Hold all releases until `brake release` or `brake arm`.

    Held messages wait in their retry queues, are tried again every minute, and use up no attempts.
    """
    _act(brake.engage, database, as_json=as_json)


@app.command()
def release(
    *,
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Duration: 90s, 30m, 2h, 7d.")
    ] = "1h",
    database: options.DatabaseUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Allow all releases, because the failures are real.

    Held messages are processed within a minute. After the duration the limit applies again.
    """
    with handled_errors(as_json=as_json):
        span = parse_duration(for_)
    _act(lambda cursor, now: brake.release(cursor, now + span), database, as_json=as_json)


@app.command()
def arm(*, database: options.DatabaseUrlOption = None, as_json: options.JsonOption = False) -> None:
    """Apply the limit again: end `brake engage` and `brake release`."""
    _act(lambda cursor, _: brake.arm(cursor), database, as_json=as_json)


def _act(
    decide: Callable[[Cursor, datetime], None] | None, database: str | None, *, as_json: bool
) -> None:
    with handled_errors(as_json=as_json):
        now = datetime.now(UTC)
        with transaction(options.database_url(database)) as cursor:
            if decide:
                decide(cursor, now)
            found = brake.read_status(cursor, now)
        print_result(_text(found, now), _to_json(found, now), as_json=as_json)


def _text(found: BrakeStatus, now: datetime) -> str:
    state = found.state
    lines = [
        f"{_name(found, now)}{_details(found, now)}",
        _last_minute(found),
        _running(found, now),
    ]
    if state.engaged_at:
        lines.append(
            "If the failures are real: scheduler-ops brake release. If it is a false alarm: fix its"
            " source, then scheduler-ops brake arm; a device that is reported running again stays"
            " allocated to its user."
        )
    return "\n".join(lines)


def _last_minute(found: BrakeStatus) -> str:
    released, held = found.state.recent_releases, found.held
    return f"within the last minute: {released} devices released, {held} messages held"


def _running(found: BrakeStatus, now: datetime) -> str:
    if found.counted_at is None:
        return "running devices: not counted yet; the limit is the fixed number of devices"
    return f"running devices: {found.state.running}, counted {age(found.counted_at, now)} ago"


def _name(found: BrakeStatus, now: datetime) -> str:
    if found.state.engaged_at:
        return "engaged"
    return "open" if found.state.is_open(now) else "armed"


def _details(found: BrakeStatus, now: datetime) -> str:
    state = found.state
    if state.engaged_at:
        return f" by {found.engaged_by} for {age(state.engaged_at, now)}: releases are held"
    if state.is_open(now):
        return f" until {state.open_until:%Y-%m-%d %H:%M:%S} UTC: all releases are allowed"
    return ": the limit applies"


def _to_json(found: BrakeStatus, now: datetime) -> dict[str, Any]:
    state = found.state
    return {
        "brake": _name(found, now),
        "engagedAt": state.engaged_at.isoformat() if state.engaged_at else None,
        "engagedBy": found.engaged_by,
        "openUntil": state.open_until.isoformat() if state.open_until else None,
        "releasedLately": state.recent_releases,
        "heldLately": found.held,
        "runningDevices": state.running,
        "countedAt": found.counted_at.isoformat() if found.counted_at else None,
    }
