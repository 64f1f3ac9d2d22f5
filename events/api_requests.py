"""Sample requests to the allocation API, and their invocation events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from local.gateway.payload import HttpRequest, http_api_event
from local.gateway.routes import find_route

_USER: Final = {"sub": "user-123", "scope": "openid"}
_ADMIN: Final = {"sub": "operator-1", "cognito:groups": "[cloudphone:admin]"}
_UNKNOWN_ALLOCATION: Final = "/api/allocations/00000000-0000-4000-8000-000000000000"
_REQUEST_ID: Final = "TlNqHgkVjoEEJ2A="
_TRACE_ID: Final = "Root=1-6908050f-4a6f1c1b2d3e4f5061728394"
_TIME: Final = {"time": "03/Nov/2025:00:30:07 +0000", "timeEpoch": 1762129807000}
_TOKEN_CLAIMS: Final = {
    "iss": "https://identity.example.com",
    "aud": "cloudphone",
    "iat": "1762129807",
    "exp": "1762133407",
}


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """The content of one sample file.

    Attributes:
        name: the name of the file without its extension.
        meaning: a sentence for the README.
        status: the status of the response.
        claims: the claims of the verified token; None for a route without authorizer.
    """

    name: str
    meaning: str
    status: int
    method: str
    path: str
    claims: dict[str, str] | None = None
    query: str = ""
    body: dict[str, Any] | None = None


REQUESTS: Final = (
    SampleRequest(
        "create-allocation",
        "A user allocates a device for an hour.",
        201,
        "POST",
        "/api/allocations",
        _USER,
        body={"userId": "user-123", "durationMinutes": 60, "minCpuCores": 2},
    ),
    SampleRequest(
        "create-allocation-for-another",
        "A user may not act for another user.",
        403,
        "POST",
        "/api/allocations",
        _USER,
        body={"userId": "user-456"},
    ),
    SampleRequest(
        "create-allocation-invalid",
        "The duration is below one minute; the response names the field.",
        422,
        "POST",
        "/api/allocations",
        _USER,
        body={"userId": "user-123", "durationMinutes": -5},
    ),
    SampleRequest(
        "create-allocation-without-token",
        "Without claims the function refuses the request, even if no authorizer did.",
        401,
        "POST",
        "/api/allocations",
        body={"userId": "user-123"},
    ),
    SampleRequest(
        "get-allocation-unknown",
        "The allocation does not exist.",
        404,
        "GET",
        _UNKNOWN_ALLOCATION,
        _USER,
    ),
    SampleRequest(
        "release-allocation-unknown",
        "An allocation that does not exist cannot be released.",
        404,
        "DELETE",
        _UNKNOWN_ALLOCATION,
        _USER,
    ),
    SampleRequest(
        "list-allocations",
        "The active allocations of a user, newest first.",
        200,
        "GET",
        "/api/allocations/user/user-123",
        _USER,
        query="status=ALLOCATED&limit=10",
    ),
    SampleRequest(
        "list-devices",
        "The available devices.",
        200,
        "GET",
        "/api/devices",
        _USER,
        query="status=available",
    ),
    SampleRequest(
        "get-user", "The status and quota of a user.", 200, "GET", "/api/users/user-123", _USER
    ),
    SampleRequest(
        "update-user",
        "An administrator sets the quota and locale of a user.",
        200,
        "PUT",
        "/api/users/user-123",
        _ADMIN,
        body={"maxDevices": 8, "locale": "en"},
    ),
    SampleRequest(
        "list-notifications",
        "The unread notifications of a user.",
        200,
        "GET",
        "/api/users/user-123/notifications",
        _USER,
        query="unread=true&limit=20",
    ),
    SampleRequest(
        "health", "The health of database, broker and DynamoDB.", 200, "GET", "/api/health"
    ),
)


def sample_event(sample: SampleRequest) -> dict[str, Any]:
    """Return the invocation event, with fixed values for ids and times so that files are stable.

    Raises:
        ValueError: no route of the API matches.
    """
    if (found := find_route(sample.method, sample.path)) is None:
        raise ValueError(f"no route matches {sample.method} {sample.path}")
    claims = None if sample.claims is None else _TOKEN_CLAIMS | sample.claims
    event = http_api_event(_http_request(sample), *found, claims, _REQUEST_ID)
    event["headers"]["x-amzn-trace-id"] = _TRACE_ID
    event["requestContext"] |= _TIME
    return event


def _http_request(sample: SampleRequest) -> HttpRequest:
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
