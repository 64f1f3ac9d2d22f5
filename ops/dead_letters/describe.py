"""A dead letter as JSON that people can read."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from scheduler.pipeline.settle import FIRST_FAILED_HEADER

if TYPE_CHECKING:
    from ops.dead_letters.letter import DeadLetter

_PROPERTIES: Final = (
    *("message_id", "correlation_id", "type", "app_id", "user_id", "reply_to", "timestamp"),
    *("content_type", "content_encoding", "priority", "expiration", "delivery_mode"),
)
# They count how often somebody looked.
_COUNTERS: Final = frozenset(("x-delivery-count", "x-acquired-count"))


def describe(letter: DeadLetter) -> dict[str, Any]:
    """Return all about a letter; its body is under ``body`` if it is JSON.

    Else it is under ``bodyText`` or, if it is not even UTF-8, under ``bodyBase64``.
    """
    return {
        "id": letter.id,
        "queue": letter.source_queue,
        "error": letter.error,
        "failedAt": iso(letter.failed_at),
        "firstFailedAt": readable(letter.headers.get(FIRST_FAILED_HEADER)),
        "attempt": letter.attempt,
        "replays": letter.replays,
        "properties": _properties(letter),
        "headers": readable({k: v for k, v in letter.headers.items() if k not in _COUNTERS}),
        **_body(letter.body),
    }


def iso(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601."""
    return None if moment is None else moment.isoformat()


def readable(value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return what an AMQP table may hold as JSON."""
    match value:
        case dict():
            return {str(readable(key)): readable(inner) for key, inner in value.items()}
        case list():
            return [readable(inner) for inner in value]
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case datetime():
            return value.isoformat()
        case None | int():
            return value
    return str(value)


def _properties(letter: DeadLetter) -> dict[str, Any]:
    given = {name: getattr(letter.properties, name) for name in _PROPERTIES}
    return {name: readable(value) for name, value in given.items() if value is not None}


def _body(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return {"bodyBase64": base64.b64encode(raw).decode("ascii")}
    try:
        body = json.loads(text, parse_constant=_refuse)
        json.dumps(body)  # what is nested too deep can be read but not written
    except (ValueError, RecursionError):
        return {"bodyText": text}
    return {"body": body}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
