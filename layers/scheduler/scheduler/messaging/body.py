"""Reads the JSON object in a message's body: repairs its text and unwraps known envelopes.

A text must never cost an event: JavaScript cuts an emoji in half, editors add a byte order mark,
and old services write Latin-1 or line breaks inside a string. Such bytes and half characters become
U+FFFD, the replacement character. Ids that contain it are refused by the contracts.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from pydantic_core import from_json

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_SUBJECTS: Final = frozenset({"userId", "deviceId"})
_MAX_ENVELOPES: Final = 3
"""A NestJS message may wrap an envelope; deeper nesting is not a known format."""


class InvalidBodyError(Exception):
    """The body violates the contract; the text says how."""


def read_body(raw: bytes) -> dict[str, Any]:
    """Return the event in a body, without envelopes and with repaired text.

    Raises:
        InvalidBodyError: the body is not JSON, or not an object.
    """
    body = _parse(raw.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "replace"))
    if not isinstance(body, dict):
        raise InvalidBodyError(f"body is not a JSON object but a {type(body).__name__}")
    return unwrap(body)


def unwrap(body: dict[str, Any]) -> dict[str, Any]:
    """Return the event in an envelope, with the envelope's id and time unless it has its own.

    Known are ``{eventId, eventType, payload}``, the ``{pattern, data}`` of NestJS microservices,
    and CloudEvents 1.0 in structured mode
    (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
    """
    for _ in range(_MAX_ENVELOPES):
        inner, outer = _open(body)
        if not isinstance(inner, dict):
            return body
        missing = {name: value for name, value in outer.items() if inner.get(name) is None}
        body = {**inner, **{name: value for name, value in missing.items() if value is not None}}
    return body


def _open(body: dict[str, Any]) -> tuple[object, dict[str, Any]]:
    """Return the content of an envelope and what the envelope says of it; None if it is none."""
    if _SUBJECTS & body.keys():
        return None, {}
    if "specversion" in body:
        return body.get("data"), {"eventId": body.get("id"), "timestamp": body.get("time")}
    if "pattern" in body:
        return body.get("data"), {}
    if "eventType" in body:
        outer = {name: body.get(name) for name in ("eventId", "timestamp")}
        return body.get("payload"), outer
    return None, {}


def _parse(text: str) -> object:
    try:
        return from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        try:
            # Accepts half surrogate pairs and control characters in strings.
            return _repair(json.loads(text, strict=False, parse_constant=_refuse_constant))
        except (ValueError, RecursionError):
            raise InvalidBodyError(f"body is not JSON: {error}") from None


def _repair(value: object) -> object:
    match value:
        case str():
            return _SURROGATES.sub("\ufffd", value)
        case dict():
            return {_SURROGATES.sub("\ufffd", name): _repair(one) for name, one in value.items()}
        case list():
            return [_repair(one) for one in value]
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
