"""Sample requests to the allocation API, as the HTTP API hands them to its function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

USER: Final = {"sub": "user-123", "scope": "openid"}
ADMIN: Final = {"sub": "operator-1", "scope": "openid admin"}
NO_SUCH_ALLOCATION: Final = "/api/allocations/00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Request:
    """One file: its name without ending, what it shows, the request and the status it gets.

    ``claims`` are those of the verified token; None stands for a route without authorizer.
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
    Request(
        "create-allocation",
        "A user takes a device for an hour.",
        201,
        "POST",
        "/api/allocations",
        USER,
        body={"userId": "user-123", "durationMinutes": 60, "minCpuCores": 2},
    ),
    Request(
        "create-allocation-for-another",
        "A user may act for nobody else.",
        403,
        "POST",
        "/api/allocations",
        USER,
        body={"userId": "user-456"},
    ),
    Request(
        "create-allocation-invalid",
        "A duration below one minute: the answer names the field.",
        422,
        "POST",
        "/api/allocations",
        USER,
        body={"userId": "user-123", "durationMinutes": -5},
    ),
    Request(
        "create-allocation-without-token",
        "Without claims nothing is allowed, whatever stands in front of the function.",
        401,
        "POST",
        "/api/allocations",
        body={"userId": "user-123"},
    ),
    Request(
        "get-allocation-unknown",
        "There is no such allocation.",
        404,
        "GET",
        NO_SUCH_ALLOCATION,
        USER,
    ),
    Request(
        "release-allocation-unknown",
        "Nor can it be released.",
        404,
        "DELETE",
        NO_SUCH_ALLOCATION,
        USER,
    ),
    Request(
        "list-allocations",
        "A user's active allocations, newest first.",
        200,
        "GET",
        "/api/allocations/user/user-123",
        USER,
        query="status=ALLOCATED&limit=10",
    ),
    Request(
        "list-devices",
        "The devices nobody holds.",
        200,
        "GET",
        "/api/devices",
        USER,
        query="status=available",
    ),
    Request("get-user", "A user's state and quota.", 200, "GET", "/api/users/user-123", USER),
    Request(
        "update-user",
        "An administrator sets quota and locale.",
        200,
        "PUT",
        "/api/users/user-123",
        ADMIN,
        body={"maxDevices": 8, "locale": "en"},
    ),
    Request(
        "list-notifications",
        "A user's inbox.",
        200,
        "GET",
        "/api/users/user-123/notifications",
        USER,
        query="unread=true&limit=20",
    ),
    Request("health", "Database, broker and DynamoDB.", 200, "GET", "/api/health"),
)
