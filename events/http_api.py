"""A sample request as its function receives it, made by the local gateway's code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from local.gateway.payload import HttpRequest, http_api_event
from local.gateway.routes import find_route

if TYPE_CHECKING:
    from events.table.api import Request

_REQUEST_ID: Final = "TlNqHgkVjoEEJ2A="
_TRACE: Final = "Root=1-6908050f-4a6f1c1b2d3e4f5061728394"
_TIME: Final = {"time": "03/Nov/2025:00:30:07 +0000", "timeEpoch": 1762129807000}
_TOKEN: Final = {
    "iss": "https://identity.example.com",
    "aud": "cloudphone",
    "iat": "1762129807",
    "exp": "1762133407",
}


def sample_event(sample: Request) -> dict[str, Any]:
    """Return the invocation event; what differs from request to request is always the same here.

    Raises:
        ValueError: the API has no such route.
    """
    if (found := find_route(sample.method, sample.path)) is None:
        raise ValueError(f"no route takes {sample.method} {sample.path}")
    claims = None if sample.claims is None else _TOKEN | sample.claims
    event = http_api_event(_http(sample), *found, claims, _REQUEST_ID)
    event["headers"]["x-amzn-trace-id"] = _TRACE
    event["requestContext"] |= _TIME
    return event


def _http(sample: Request) -> HttpRequest:
    body = b"" if sample.body is None else json.dumps(sample.body, ensure_ascii=False).encode()
    headers = [("accept", "application/json"), ("host", "api.example.com")]
    if body:
        headers.append(("content-type", "application/json"))
    return HttpRequest(
        method=sample.method,
        path=sample.path,
        query=sample.query,
        headers=(*headers, ("user-agent", "curl/8.5.0")),
        body=body,
        protocol="HTTP/1.1",
        client="203.0.113.10",
        port=443,
    )
