"""Payload format 2.0 of HTTP APIs: requests as events, results of functions as responses.

docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
Not documented there, but measured by others: the path arrives decoded and ends at a decoded ``?``
(github.com/middleapi/standard-server/pull/93); the query string stays encoded while its
parameters are decoded (github.com/aws/aws-lambda-dotnet/pull/1901); cookies are removed from the
headers; ``scopes`` is null on a route without scopes (DefinitelyTyped/DefinitelyTyped/pull/75458).
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.gateway.routes import Route

_ACCOUNT: Final = "000000000000"
_API: Final = "local"
_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "cookie")
)
_TEXT_TYPES: Final = ("text/", "application/json", "application/javascript", "application/xml")
_SET_BY_THE_SERVER: Final = frozenset(("connection", "content-length", "transfer-encoding"))
_DEFAULT_CONTENT_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as received; `path` is decoded, `query` is not."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    protocol: str
    client: str
    port: int

    def header(self, name: str) -> str | None:
        """Return a header's values joined by commas; None when it is absent."""
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


def http_api_event(
    request: HttpRequest,
    route: Route,
    parameters: dict[str, str],
    claims: dict[str, str] | None,
    request_id: str,
) -> dict[str, Any]:
    """Return the invocation event for a request; absent parts are left out."""
    path = request.path.partition("?")[0]
    body, is_base64 = _body(request)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": path,
        "rawQueryString": request.query,
        "cookies": [cookie for value in _cookies(request) for cookie in value.split("; ")],
        "headers": _headers(request),
        "queryStringParameters": _joined(parse_qsl(request.query, keep_blank_values=True)),
        "requestContext": _context(request, path, route, claims, request_id),
        "body": body,
        "pathParameters": parameters,
    }
    return {key: value for key, value in event.items() if value or key == "rawQueryString"} | {
        "isBase64Encoded": is_base64
    }


def http_response(result: bytes) -> Response:
    """Return the HTTP response for a function's JSON result.

    A result without ``statusCode`` is the body of a 200; a malformed one becomes a 500.
    """
    content = json.loads(result)
    if not isinstance(content, dict) or "statusCode" not in content:
        return Response(result, media_type="application/json")
    try:
        return _structured_response(content)
    except (TypeError, ValueError, AttributeError):
        return internal_server_error()


def gateway_response(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Return a response that API Gateway itself gives, e.g. ``{"message":"Not Found"}``."""
    return JSONResponse({"message": text}, status, headers)


def internal_server_error() -> Response:
    """Return API Gateway's response for a function that failed or returned a malformed result."""
    return gateway_response(500, "Internal Server Error")


def new_request_id() -> str:
    """Return a random id in the format of HTTP APIs."""
    return secrets.token_urlsafe(11)[:15] + "="


def _context(
    request: HttpRequest, path: str, route: Route, claims: dict[str, str] | None, request_id: str
) -> dict[str, Any]:
    now = datetime.now(UTC)
    context: dict[str, Any] = {
        "accountId": _ACCOUNT,
        "apiId": _API,
        "domainName": (request.header("host") or "").partition(":")[0],
        "domainPrefix": _API,
        "http": {
            "method": request.method,
            "path": path,
            "protocol": request.protocol,
            "sourceIp": request.client,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": request_id,
        "routeKey": route.key,
        "stage": "$default",
        "time": f"{now:%d/%b/%Y:%H:%M:%S} +0000",
        "timeEpoch": int(now.timestamp() * 1000),
    }
    if claims is not None:
        context["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    return context


def _headers(request: HttpRequest) -> dict[str, str]:
    given = [(name, value) for name, value in request.headers if name not in _HOP_BY_HOP]
    added = [
        (
            "x-amzn-trace-id",
            f"Root=1-{int(datetime.now(UTC).timestamp()):x}-{secrets.token_hex(12)}",
        ),
        ("x-forwarded-for", request.client),
        ("x-forwarded-port", str(request.port)),
        ("x-forwarded-proto", "http"),
    ]
    return _joined([*given, *added])


def _cookies(request: HttpRequest) -> Iterable[str]:
    return (value for name, value in request.headers if name == "cookie")


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(request: HttpRequest) -> tuple[str, bool]:
    content_type = request.header("content-type")
    if content_type is None or content_type.startswith(_TEXT_TYPES):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode("ascii"), bool(request.body)


def _structured_response(content: dict[str, Any]) -> Response:
    body: Any = content.get("body") or ""
    raw = base64.b64decode(body, validate=True) if content.get("isBase64Encoded") else body
    given = (content.get("headers") or {}).items()
    lower = {str(name).lower(): _header_value(value) for name, value in given}
    headers = {name: value for name, value in lower.items() if name not in _SET_BY_THE_SERVER}
    headers.setdefault("content-type", _DEFAULT_CONTENT_TYPE)
    response = Response(raw, _status(content["statusCode"]), headers)
    for cookie in content.get("cookies") or ():
        response.headers.append("set-cookie", cookie)
    return response


def _status(value: Any) -> int:  # noqa: ANN401 - any JSON that the function returned
    status = int(value)
    if not 100 <= status <= 599:  # noqa: PLR2004 - HTTP's own range
        raise ValueError(f"not an HTTP status: {status}")
    return status


def _header_value(value: Any) -> str:  # noqa: ANN401 - any JSON that the function returned
    text = value if isinstance(value, str) else json.dumps(value)
    if "\n" in text or "\r" in text:
        raise ValueError("a header value contains a line break")
    return text
