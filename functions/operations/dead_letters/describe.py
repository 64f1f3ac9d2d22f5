"""A dead letter as readable JSON."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from scheduler.json_text import unique_object
from scheduler.messaging.message import FIRST_FAILED_HEADER

if TYPE_CHECKING:
    from operations.dead_letters.letter import DeadLetter

_PROPERTIES: Final = (
    *("message_id", "correlation_id", "type", "app_id", "user_id", "reply_to", "timestamp"),
    *("content_type", "content_encoding", "priority", "expiration", "delivery_mode"),
)
_MAX_DEPTH: Final = 100
"""Levels of a body. Deeper ones are text: an encoder may refuse them as a part of a result, and
indented, 18 KB of nested brackets would become 160 MB."""
_LONG: Final = 100_000
"""Bytes of a body."""
_MAX_GROWTH: Final = 3
"""Characters of JSON for a byte; text in any language has fewer."""
_MAX_SAMPLE: Final = 100_000
_MAX_SAMPLE_BODY: Final = 10_000
# Set by the broker each time the letter is read.
_COUNTERS: Final = frozenset(("x-delivery-count", "x-acquired-count"))


def describe(letter: DeadLetter) -> dict[str, Any]:
    """Return all data of a letter; the body is ``body`` if it is JSON.

    Otherwise, or if it is nested deeply, it is ``bodyText`` or, if it is no text, ``bodyBase64``.
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


def sample(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter as `describe` does; a large one without most of its body and headers.

    ``isCut`` tells that.
    """
    about = describe(letter)
    if json_size(about) > _MAX_SAMPLE:
        about["isCut"] = True
        for name in ("body", "bodyText", "bodyBase64"):
            about.pop(name, None)
        about["bodyText"] = letter.body[:_MAX_SAMPLE_BODY].decode("utf-8", "replace")
        about["firstFailedAt"] = None
        if json_size(about["headers"]) > _MAX_SAMPLE_BODY:
            about["headers"] = {}
    return about


def json_size(about: object) -> int:
    """Return how long something is in a result."""
    return len(json.dumps(about))


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
        return _in_base64(raw)
    try:
        body = json.loads(text, parse_constant=_refuse, object_pairs_hook=unique_object)
    except (ValueError, RecursionError):
        return _as_text(text, raw)
    return _as_text(text, raw) if is_deep(body, _MAX_DEPTH) else {"body": body}


def _as_text(text: str, raw: bytes) -> dict[str, Any]:
    return {"bodyText": text} if _is_plain(text, len(raw)) else _in_base64(raw)


def is_deep(value: object, limit: int) -> bool:
    """Return whether lists and objects are nested in more than some levels."""
    match value:
        case dict():
            children = list(value.values())
        case list():
            children = value
        case _:
            return False
    return limit == 0 or any(is_deep(child, limit - 1) for child in children)


def _is_plain(text: str, length: int) -> bool:
    """Return whether a text is not mostly control characters, each of which is six in JSON."""
    return length < _LONG or json_size(text) <= _MAX_GROWTH * length


def _in_base64(raw: bytes) -> dict[str, Any]:
    return {"bodyBase64": base64.b64encode(raw).decode("ascii")}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
