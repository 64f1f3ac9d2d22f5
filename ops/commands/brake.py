"""``scheduler-ops brake``: decides what becomes of releases when too many devices fail at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops import options
from ops.database import transaction
from ops.dead_letters.selection import duration
from ops.text import age
from scheduler.database import brake

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymysql.cursors import Cursor

    from scheduler.database.brake import BrakeStatus

app = typer.Typer(
    no_args_is_help=True,
    help="Hold, or let through, what device.failed and device.status_changed release.",
)


@app.command()
def status(*, database: options.DatabaseUrl = None, as_json: options.AsJson = False) -> None:
    """Say whether releases are held, and how many were released and held within a minute."""
    _act(None, database, as_json=as_json)


@app.command()
def engage(*, database: options.DatabaseUrl = None, as_json: options.AsJson = False) -> None:
    """Hold every such release from now on, until release or arm.

    Messages wait in their retry queues, come again once a minute, and lose nothing.
    """
    _act(brake.engage, database, as_json=as_json)


@app.command()
def release(
    *,
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long: 90s, 30m, 2h, 7d.")
    ] = "1h",
    database: options.DatabaseUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Let through whatever comes: the failures are real.

    What is held comes within a minute. When the time is over, the limit decides again.
    """
    with options.outcome(as_json=as_json):
        span = duration(for_)
    _act(lambda cursor, now: brake.release(cursor, now + span), database, as_json=as_json)


@app.command()
def arm(*, database: options.DatabaseUrl = None, as_json: options.AsJson = False) -> None:
    """Let the limit decide again, at once: neither hold nor let through by hand."""
    _act(lambda cursor, _: brake.arm(cursor), database, as_json=as_json)


def _act(
    decide: Callable[[Cursor, datetime], None] | None, database: str | None, *, as_json: bool
) -> None:
    with options.outcome(as_json=as_json):
        now = datetime.now(UTC)
        with transaction(options.database_url(database)) as cursor:
            if decide:
                decide(cursor, now)
            found = brake.look(cursor, now)
        options.say(_sentences(found, now), _to_json(found, now), as_json=as_json)


def _sentences(found: BrakeStatus, now: datetime) -> str:
    state = found.state
    lines = [
        f"{_name(found, now)}{_details(found, now)}",
        f"within the last minute: {state.lately} devices released, {found.held} messages held",
        f"running devices: {state.running}",
    ]
    if state.engaged:
        lines.append(
            "Real failures? scheduler-ops brake release. A false alarm? Mend what reports it; a"
            " device that is reported running again is left to its user. Then: brake arm"
        )
    return "\n".join(lines)


def _name(found: BrakeStatus, now: datetime) -> str:
    if found.state.engaged:
        return "engaged"
    return "open" if found.state.is_open(now) else "armed"


def _details(found: BrakeStatus, now: datetime) -> str:
    state = found.state
    if state.engaged:
        return f" by {found.engaged_by} for {age(state.engaged, now)}: releases are held"
    if state.is_open(now):
        return f" until {state.open_until:%Y-%m-%d %H:%M:%S} UTC: everything is let through"
    return ": the limit decides"


def _to_json(found: BrakeStatus, now: datetime) -> dict[str, Any]:
    state = found.state
    return {
        "brake": _name(found, now),
        "engagedAt": state.engaged.isoformat() if state.engaged else None,
        "engagedBy": found.engaged_by,
        "openUntil": state.open_until.isoformat() if state.open_until else None,
        "releasedLately": state.lately,
        "heldLately": found.held,
        "runningDevices": state.running,
    }
