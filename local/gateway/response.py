"""What a function returned as an HTTP response (payload format 2.0).

Source: as event.py. A result without ``statusCode`` is the body of a 200.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from starlette.responses import JSONResponse, Response

_SET_BY_THE_SERVER: Final = frozenset(("connection", "content-length", "transfer-encoding"))
_DEFAULT_TYPE: Final = "text/plain; charset=utf-8"


def message(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer of API Gateway itself, e.g. ``{"message":"Not Found"}``."""
    return JSONResponse({"message": text}, status, headers)


def internal_server_error() -> Response:
    """Return what a client sees when the function failed or its result makes no sense."""
    return message(500, "Internal Server Error")


def http_response(result: bytes) -> Response:
    """Return the response for a function's JSON result."""
    answer = json.loads(result)
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return Response(result, media_type="application/json")
    try:
        return _structured(answer)
    except (TypeError, ValueError, AttributeError):
        return internal_server_error()


def _structured(answer: dict[str, Any]) -> Response:
    body: Any = answer.get("body") or ""
    content = base64.b64decode(body, validate=True) if answer.get("isBase64Encoded") else body
    given = {str(name).lower(): _text(value) for name, value in _headers(answer).items()}
    headers = {name: value for name, value in given.items() if name not in _SET_BY_THE_SERVER}
    headers.setdefault("content-type", _DEFAULT_TYPE)
    response = Response(content, _status(answer["statusCode"]), headers)
    for cookie in answer.get("cookies") or ():
        response.headers.append("set-cookie", cookie)
    return response


def _headers(answer: dict[str, Any]) -> dict[str, Any]:
    return answer.get("headers") or {}


def _status(value: Any) -> int:  # noqa: ANN401 - whatever the function returned
    status = int(value)
    if not 100 <= status <= 599:  # noqa: PLR2004 - HTTP's own range
        raise ValueError(f"no HTTP status: {status}")
    return status


def _text(value: Any) -> str:  # noqa: ANN401 - likewise
    text = value if isinstance(value, str) else json.dumps(value)
    if "\n" in text or "\r" in text:
        raise ValueError("a header value has a line break")
    return text
