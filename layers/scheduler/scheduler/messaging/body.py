"""Reads the JSON object in a message's body: repairs its text and unwraps known envelopes.

Damaged text must not cost an event: JavaScript cuts an emoji in half, editors add a byte order
mark, and old services write Latin-1 or line breaks inside a string. Such bytes and half characters
become U+FFFD, the replacement character. Ids that contain it are refused by the contracts.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from pydantic_core import from_json

from scheduler.json_text import RepeatedNameError, unique_object

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_GZIP: Final = b"\x1f\x8b"
_LONGEST_CHARACTER: Final = 4
"""Bytes of a character in UTF-32; in UTF-16 and UTF-32, some of those of ``{`` are 0."""
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_MAX_ENVELOPES: Final = 3
"""A NestJS message may wrap an envelope; deeper nesting is not a known format."""


class InvalidBodyError(Exception):
    """The body violates the contract; the text says how."""


def read_body(raw: bytes, subject: str) -> dict[str, Any]:
    """Return the event in a body, without envelopes and with repaired text.

    Args:
        raw: the body.
        subject: the field that names what the event is about, as for `unwrap`.

    Raises:
        InvalidBodyError: the body is not JSON, or not an object, or an envelope without an event.
    """
    try:
        body = _parse(raw.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "replace"))
    except InvalidBodyError as error:
        raise InvalidBodyError(f"{error}{_hint(raw)}") from None
    if not isinstance(body, dict):
        raise InvalidBodyError(f"body is not a JSON object but a {type(body).__name__}")
    return unwrap(body, subject)


def unwrap(body: dict[str, Any], subject: str) -> dict[str, Any]:
    """Return the event in an envelope, with the envelope's id and time unless it has its own.

    Known are ``{eventId, eventType, payload}``, the ``{pattern, data}`` of NestJS microservices,
    and CloudEvents 1.0 in structured mode
    (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).

    Args:
        body: the event, or its envelope.
        subject: the field that names what the event is about. An object that has it is the event,
            even if its other fields are called like those of an envelope, unless the object in it
            has the same and more.

    Raises:
        InvalidBodyError: the content of an envelope is not an object, or it has another subject
            than the object around it.
    """
    for _ in range(_MAX_ENVELOPES):
        name, outer = _envelope(body)
        if name not in body:
            return body
        inner = body[name]
        if subject in body:
            if not isinstance(inner, dict) or subject not in inner:
                return body
            if inner[subject] != body[subject]:
                raise InvalidBodyError(f"{subject}: {name} has another one; publish one of them")
            if len(inner) == 1:  # it only repeats the subject; the other fields are around it
                return _without_format_version(body)
        if not isinstance(inner, dict):
            raise InvalidBodyError(f"{name} is not a JSON object but a {type(inner).__name__}")
        missing = {name: value for name, value in outer.items() if inner.get(name) is None}
        body = {**inner, **{name: value for name, value in missing.items() if value is not None}}
    return body


def _without_format_version(body: dict[str, Any]) -> dict[str, Any]:
    text = isinstance(body.get("version"), str)
    return {key: value for key, value in body.items() if key != "version"} if text else body


def _envelope(body: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return which field has the content of an envelope, and what the envelope says about it."""
    if "specversion" in body:
        name = "data_base64" if "data_base64" in body else "data"
        return name, {"eventId": _cloud_event_id(body), "timestamp": body.get("time")}
    if "pattern" in body:
        return "data", {}
    if "eventType" in body:
        return "payload", {name: body.get(name) for name in ("eventId", "timestamp")}
    return None, {}


def _cloud_event_id(body: dict[str, Any]) -> object:
    """Return what identifies a CloudEvent: its id is unique within its source only.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#id
    """
    source, id_ = body.get("source"), body.get("id")
    if isinstance(source, str) and isinstance(id_, str) and id_.strip():
        return f"{source}|{id_}"  # a URI has no |
    return id_


def _hint(raw: bytes) -> str:
    """Return how to correct what is not JSON, if its first bytes tell."""
    if raw.startswith(_GZIP):
        return " (it is compressed with gzip; publish it uncompressed)"
    if b"\0" in raw[:_LONGEST_CHARACTER] or raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return " (it is UTF-16 or UTF-32; publish it as UTF-8)"
    return ""


def _parse(text: str) -> object:
    try:
        try:
            parsed = from_json(text, allow_inf_nan=False, cache_strings="keys")
        except ValueError as error:
            return _parse_damaged(text, str(error))
        _DECODER.decode(text)
    except RepeatedNameError as error:
        raise InvalidBodyError(f"{error}; publish one of them") from None
    return parsed


def _parse_damaged(text: str, why: str) -> object:
    """Return what a text with half surrogate pairs or control characters in strings says."""
    try:
        return _repair(_DECODER.decode(text))
    except RepeatedNameError:
        raise
    except (ValueError, RecursionError):
        raise InvalidBodyError(f"body is not JSON: {why}") from None


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
    raise InvalidBodyError(f"body is not JSON: it has {name}, which JSON cannot express")


_DECODER: Final = json.JSONDecoder(
    strict=False, parse_constant=_refuse_constant, object_pairs_hook=unique_object
)
"""Finds names that occur twice, which pydantic's parser does not; accepts damaged strings."""
