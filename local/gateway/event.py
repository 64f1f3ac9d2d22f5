"""An HTTP request as the event that API Gateway makes of it (payload format 2.0).

docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
and what it does not say as measured by others: the path arrives decoded and ends at a decoded
``?`` (github.com/middleapi/standard-server/pull/93), the query string stays encoded while its
parameters are decoded (github.com/aws/aws-lambda-dotnet/pull/1901), cookies leave the headers,
``scopes`` is null on a route without scopes (DefinitelyTyped/DefinitelyTyped/pull/75458).
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.gateway.routes import Route

_ACCOUNT: Final = "000000000000"
_API: Final = "local"
_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "cookie")
)
_TEXT_TYPES: Final = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with everything the event is made of; `path` is decoded, `query` is not."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    protocol: str
    client: str
    port: int

    def header(self, name: str) -> str | None:
        """Return a header's values, joined by commas; None when it is absent."""
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


def http_api_event(
    request: HttpRequest,
    route: Route,
    parameters: dict[str, str],
    claims: dict[str, str] | None,
    request_id: str,
) -> dict[str, Any]:
    """Return the invocation event of a request; what the request lacks is left out."""
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


def new_request_id() -> str:
    """Return an id in the form of an HTTP API's."""
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
