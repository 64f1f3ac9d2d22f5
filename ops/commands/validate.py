"""``scheduler-ops validate``: checks events in files, in the pipeline of a publisher."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic_core import from_json

from operations.errors import InvalidInputError
from operations.event_bodies import CONTRACTS, body_error, contract_of
from ops import options  # noqa: TC001 - Typer evaluates annotations
from ops.terminal import handled_errors, print_result, printable

_STDIN: Final = "-"
_TYPE_FIELDS: Final = ("eventType", "pattern", "type")
"""The fields of the known envelopes: `eventType` is ours, then NestJS's, then CloudEvents'."""
_NAMED: Final = re.compile("|".join(map(re.escape, sorted(CONTRACTS, key=len, reverse=True))))


@dataclass(frozen=True, slots=True)
class CheckedBody:
    """The result for a file; ``error`` is what the header ``x-error`` would say."""

    file: str
    event_type: str
    error: str | None


def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|-", help="JSON files with one event each; - is standard input."
        ),
    ],
    *,
    event: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="Event type. Default: that of an envelope, else the one in the file's name.",
        ),
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Check events offline, as the functions would, and print the same error messages.

    Exit codes: 0 all are accepted, 1 some would become dead letters, 2 a file cannot be read or
    its event type is unknown.
    """
    with handled_errors(as_json=as_json):
        checked = [_check(file, event) for file in files]
        text = "\n".join(map(_line, checked))
        print_result(text, {"files": [_as_json(one) for one in checked]}, as_json=as_json)
        if any(one.error for one in checked):
            raise typer.Exit(1)


def _check(file: str, event: str | None) -> CheckedBody:
    raw = _read(file)
    event_type = event or _type_in(raw) or _type_in_name(file)
    contract_of(event_type)
    return CheckedBody(file, event_type, body_error(event_type, raw, datetime.now(UTC)))


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read: {error.strerror}") from None


def _type_in(raw: bytes) -> str | None:
    """Return the event type that an envelope names."""
    try:
        body: Any = from_json(raw)
    except ValueError:
        return None
    names = [body.get(field) for field in _TYPE_FIELDS] if isinstance(body, dict) else []
    return next((name for name in names if name in CONTRACTS), None)


def _type_in_name(file: str) -> str:
    found = _NAMED.match(Path(file).name)
    if not found:
        raise InvalidInputError(f"{file} names no event type: add e.g. --event device.failed")
    return found[0]


def _line(checked: CheckedBody) -> str:
    result = checked.error or "accepted"
    return printable(f"{checked.file}: {checked.event_type}: {result}")


def _as_json(checked: CheckedBody) -> dict[str, Any]:
    found = asdict(checked)
    return {"file": found["file"], "eventType": found["event_type"], "error": found["error"]}
