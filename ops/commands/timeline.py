"""``scheduler-ops timeline``: what happened to a user or a device, and the next step."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from operations.errors import InvalidInputError
from ops.durations import parse_length
from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.options import connects
from ops.terminal import print_result, printable, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOCK: Final = re.compile(
    r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(Z|[+-](?:0\d|1[0-4]):[0-5]\d)?"
)
_INDENT: Final = " " * 10
_NOTHING: Final = "Next: nothing; every message is settled, and no delivery failed or waits."


class SubjectKind(StrEnum):
    """Whose timeline."""

    USER = "user"
    DEVICE = "device"


@connects
def timeline(
    kind: Annotated[SubjectKind, typer.Argument(help="Whose timeline.")],
    id_: Annotated[str, typer.Argument(metavar="ID", help="User or device id, e.g. user-123.")],
    *,
    at: Annotated[
        str | None,
        typer.Option(
            help="When: 14:03 (the last time that it was 14:03 UTC), 14:03+08:00, or ISO 8601 with"
            " a zone. Default: until now."
        ),
    ] = None,
    around: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long before and after: 90s, 10m, 2h, 7d. Default: 10m with --at, else 1d.",
        ),
    ] = None,
    operations: Operations,
    as_json: bool,
) -> None:
    """Show what happened to a user or a device: messages, allocations, notifications, events.

    Times are UTC. The last line names the next step.
    """
    now = datetime.now(UTC)
    default = "1d" if at is None else "10m"
    span = parse_length(default if around is None else around)
    try:
        moment = now if at is None else parse_moment(at, now)
        end = now if at is None else moment + span
        window = {"start": (moment - span).isoformat(), "end": end.isoformat()}
    except OverflowError:
        raise InvalidInputError("the window must be between the years 1 and 9999") from None
    found = operations.call("timeline", {"kind": kind.value, "id": id_, **window})
    print_result("\n".join(_lines(found)), found, as_json=as_json)


def parse_moment(given: str, now: datetime) -> datetime:
    """Return the moment that an operator names: a time of the last 24 hours, or ISO 8601.

    A time without an offset is UTC.

    Raises:
        InvalidInputError: it is neither, or has no zone.
    """
    if clock := _CLOCK.fullmatch(given):
        hour, minute, second = (int(part or 0) for part in clock.groups()[:3])
        there = now.astimezone(_zone(clock[4]))
        today = there.replace(hour=hour, minute=minute, second=second, microsecond=0)
        return (today if today <= there else today - timedelta(days=1)).astimezone(UTC)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInputError(
            f"{given!r} is not a time with a zone; write 14:03 (UTC), 14:03+08:00 or"
            " 2026-03-01T14:03+08:00"
        )
    return moment.astimezone(UTC)


def _zone(offset: str | None) -> tzinfo | None:
    return datetime.fromisoformat(f"2000-01-01T00:00{offset or 'Z'}").tzinfo


def _lines(found: dict[str, Any]) -> Iterator[str]:
    start, end = (datetime.fromisoformat(found[name]) for name in ("start", "end"))
    until = f"{end:%H:%M:%S}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    title = f"{found['kind']} {found['id']}, {start:%Y-%m-%d %H:%M:%S} to {until} UTC"
    yield printable(title)
    day = None
    for entry in found["entries"]:
        at = datetime.fromisoformat(entry["at"])
        if at.date() != day and start.date() != end.date():
            yield f"{at:%Y-%m-%d}"
        day = at.date()
        yield from map(printable, entry_lines(entry, at))
    if not found["entries"]:
        yield "Nothing happened. Is the id right? Widen the window with --around."
    if not found["complete"]:
        yield "There is more of a kind than is shown: narrow the window with --at and --around."
    step = found["nextStep"]
    if step or found["entries"]:
        yield printable(f"Next: {step}") if step else _NOTHING


def entry_lines(entry: dict[str, Any], at: datetime) -> Iterator[str]:
    """Yield the lines of an entry, the first with its time; they may be untrusted."""
    what = f"{entry['kind']:<12} {entry['action']}"
    outcome = f" ({entry['outcome']})" if entry["outcome"] else ""
    where = [entry[name] for name in ("userId", "deviceId") if entry[name]]
    yield f"{at:%H:%M:%S}  {what}{outcome} {' '.join(where)}".rstrip()
    if entry["detail"]:
        yield from wrapped(entry["detail"], _INDENT)
    if cause := _cause(entry):
        yield from wrapped(cause, _INDENT)
    for one in entry["deliveries"]:
        attempts = f", attempts {one['attempts']}" if one["attempts"] > 1 else ""
        answer = f": {one['answer']}" if one["answer"] else ""
        yield from wrapped(f"{one['channel']} {one['status']}{attempts}{answer}", _INDENT)


def _cause(entry: dict[str, Any]) -> str:
    message = entry["message"]
    if not message:
        return f"by {entry['causedBy']}" if entry["causedBy"] else ""
    parts = {
        "message": message["id"],
        "queue": message["queue"] if entry["kind"] != "event" else None,
        "correlation": message["correlationId"],
        "publisher": message["publisher"],
        "by": entry["causedBy"] if entry["kind"] == "event" else None,
    }
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value)
