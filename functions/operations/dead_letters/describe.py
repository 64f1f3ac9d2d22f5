"""A dead letter as readable JSON."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from scheduler.messaging.message import FIRST_FAILED_HEADER

if TYPE_CHECKING:
    from operations.dead_letters.letter import DeadLetter

_PROPERTIES: Final = (
    *("message_id", "correlation_id", "type", "app_id", "user_id", "reply_to", "timestamp"),
    *("content_type", "content_encoding", "priority", "expiration", "delivery_mode"),
)
# Set by the broker each time the letter is read.
_COUNTERS: Final = frozenset(("x-delivery-count", "x-acquired-count"))


def describe(letter: DeadLetter) -> dict[str, Any]:
    """Return all data of a letter; the body is ``body`` if it is JSON.

    Otherwise it is ``bodyText`` or, if it is not UTF-8 either, ``bodyBase64``.
    """
    return {
        "id": letter.id,
        "queue": letter.source_queue,
        "error": letter.error,
        "failedAt": iso(letter.failed_at),
        "firstFailedAt": _json_value(letter.headers.get(FIRST_FAILED_HEADER)),
        "attempt": letter.attempt,
        "replays": letter.replays,
        "properties": _properties(letter),
        "headers": _json_value({k: v for k, v in letter.headers.items() if k not in _COUNTERS}),
        **_body(letter.body),
    }


def iso(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601 format."""
    return None if moment is None else moment.isoformat()


def _json_value(value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return an AMQP field value as JSON data."""
    match value:
        case dict():
            return {str(_json_value(key)): _json_value(inner) for key, inner in value.items()}
        case list():
            return [_json_value(inner) for inner in value]
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case datetime():
            return value.isoformat()
        case None | int():
            return value
    return str(value)


def _properties(letter: DeadLetter) -> dict[str, Any]:
    given = {name: getattr(letter.properties, name) for name in _PROPERTIES}
    return {name: _json_value(value) for name, value in given.items() if value is not None}


def _body(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return {"bodyBase64": base64.b64encode(raw).decode("ascii")}
    try:
        body = json.loads(text, parse_constant=_refuse)
        json.dumps(body)  # fails for deeply nested data that json.loads still accepts
    except (ValueError, RecursionError):
        return {"bodyText": text}
    return {"body": body}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
