"""Makes requests readable: the path before it is routed, the body once access is granted."""

from __future__ import annotations

import base64
import binascii
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pydantic_core import from_json

from allocation_api.errors import ApiError, invalid
from scheduler.json_text import unique_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
    from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

MAX_BODY_BYTES: Final = 128 * 1024
"""Enough for a batch of a hundred requests with the longest ids and keys."""

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
"""What ``curl -d`` declares, whatever the body is."""
_CONTENT_TYPE: Final = "content-type"
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT"})


def routable(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event with a path that can be routed.

    An HTTP API decodes the path before it invokes the function
    (github.com/middleapi/standard-server/pull/93), and Powertools matches only some of the
    characters that it may then contain. So the path is encoded again, and ids are decoded where
    they are read (`allocation_api.fields.PathId`).
    """
    return {**event, "rawPath": quote(event["rawPath"])}


def read_body(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Make the body of a request text; a middleware.

    That of a GET or DELETE has no meaning (RFC 9110, 9.3) and is not read.

    Raises:
        ApiError: see `normalize`.
    """
    event = app.current_event.raw_event
    if app.request.method in _METHODS_WITH_BODY:
        event.update(normalize(event))
    return next_middleware(app)


def skip(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Do nothing; a middleware in the place of another one."""
    return next_middleware(app)


def normalize(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of an event that change so that its body is text.

    Powertools parses a body as its content type says. Here every body is JSON, so the header says
    so too.

    Raises:
        ApiError: 413 for a body that is too long, 415 for one that is declared as something other
            than JSON (a form may hold a JSON object), 422 for one that is not text.
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    body = _body(event, str(headers.get(_CONTENT_TYPE, "")))
    return {"headers": {**headers, _CONTENT_TYPE: _JSON}, "isBase64Encoded": False, **body}


def parse_json_object(text: str) -> dict[str, Any]:
    """Return the JSON object in a body.

    Raises:
        ApiError: 422, it is not JSON (RFC 8259: no NaN, no lone surrogates), not an object, or a
            name occurs twice with different values.
    """
    try:
        body = from_json(text, allow_inf_nan=False)
        json.loads(text, object_pairs_hook=unique_object)
    except ValueError as error:
        raise invalid(("body", f"not JSON: {error}")) from None
    if not isinstance(body, dict):
        raise invalid(("body", "must be a JSON object"))
    return body


def _body(event: Mapping[str, Any], content_type: str) -> dict[str, str]:
    body = event.get("body")
    if not body:
        return {}
    media_type = content_type.partition(";")[0].strip().lower()
    if content_type.strip() and media_type not in (_JSON, _FORM):
        raise _unsupported()
    text = _decode(body) if event.get("isBase64Encoded") else body
    if len(text.encode(errors="replace")) > MAX_BODY_BYTES:
        raise ApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "payload_too_large",
            "the body is too long",
            {"maxBytes": MAX_BODY_BYTES},
        )
    if media_type == _FORM and not _is_json_object(text):
        raise _unsupported()
    return {"body": text}


def _unsupported() -> ApiError:
    message = f"the body must be {_JSON}"
    return ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)


def _is_json_object(text: str) -> bool:
    try:
        parse_json_object(text)
    except ApiError:
        return False
    return True


def _decode(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise invalid(("body", "must be UTF-8")) from None
