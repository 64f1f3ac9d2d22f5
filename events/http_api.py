"""A request as an HTTP API of API Gateway passes it on (payload format 2.0).

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from events.table.api import Request

HOST: Final = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
_ISSUED: Final = {
    "iss": "https://identity.example.com",
    "aud": "cloudphone",
    "iat": "1762129807",
    "exp": "1762133407",
}


def http_api_event(request: Request) -> dict[str, Any]:
    """Return the invocation event of a request."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": _route(request),
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": _headers(request),
        "requestContext": _context(request),
        "isBase64Encoded": False,
    }
    # API Gateway leaves out what a request does not have.
    if request.query:
        event["queryStringParameters"] = dict(parse_qsl(request.query))
    if request.path != "/api/health":
        event["pathParameters"] = {"proxy": request.path.removeprefix("/api/")}
    if request.body is not None:
        event["body"] = json.dumps(request.body, ensure_ascii=False)
    return event


def _route(request: Request) -> str:
    return "GET /api/health" if request.path == "/api/health" else "ANY /api/{proxy+}"


def _headers(request: Request) -> dict[str, str]:
    headers = {
        "accept": "application/json",
        "host": HOST,
        "user-agent": "curl/8.5.0",
        "x-amzn-trace-id": "Root=1-6908050f-4a6f1c1b2d3e4f5061728394",
        "x-forwarded-for": "203.0.113.10",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    if request.body is not None:
        headers["content-type"] = "application/json"
    return headers


def _context(request: Request) -> dict[str, Any]:
    context: dict[str, Any] = {
        "accountId": "123456789012",
        "apiId": HOST.partition(".")[0],
        "domainName": HOST,
        "domainPrefix": HOST.partition(".")[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": "203.0.113.10",
            "userAgent": "curl/8.5.0",
        },
        "requestId": "TlNqHgkVjoEEJ2A=",
        "routeKey": _route(request),
        "stage": "$default",
        "time": "03/Nov/2025:00:30:07 +0000",
        "timeEpoch": 1762129807000,
    }
    if request.claims is not None:
        context["authorizer"] = {"jwt": {"claims": _ISSUED | request.claims, "scopes": None}}
    return context
