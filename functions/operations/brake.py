"""The mass-failure brake: its state, and the operators' decisions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from operations.context import Arguments, NoArguments, OperationContext
from scheduler.database import brake

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.brake import BrakeStatus

_MAX_SECONDS: Final = 86_400 * 99_999


class ReleaseArguments(Arguments):
    """How long all releases are allowed."""

    seconds: int = Field(ge=0, le=_MAX_SECONDS)


def status(context: OperationContext, _arguments: NoArguments) -> dict[str, Any]:
    """Return the state of the brake, and the releases of the last minute."""
    return _act(context, lambda _cursor: None)


def engage(context: OperationContext, _arguments: NoArguments) -> dict[str, Any]:
    """Hold all releases until an operator decides otherwise."""
    return _act(context, lambda cursor: brake.engage(cursor, context.now))


def release(context: OperationContext, arguments: ReleaseArguments) -> dict[str, Any]:
    """Allow all releases for some time."""
    until = context.now + timedelta(seconds=arguments.seconds)
    return _act(context, lambda cursor: brake.release(cursor, until))


def arm(context: OperationContext, _arguments: NoArguments) -> dict[str, Any]:
    """Apply the limit again."""
    return _act(context, brake.arm)


def _act(context: OperationContext, decide: Callable[[Cursor], None]) -> dict[str, Any]:
    with context.transaction() as cursor:
        decide(cursor)
        return brake_state(cursor, context.now)


def brake_state(cursor: Cursor, now: datetime) -> dict[str, Any]:
    """Return the state of the brake as JSON data."""
    found = brake.read_status(cursor, now)
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


def _name(found: BrakeStatus, now: datetime) -> str:
    if found.state.engaged_at:
        return "engaged"
    return "open" if found.state.is_open(now) else "armed"
