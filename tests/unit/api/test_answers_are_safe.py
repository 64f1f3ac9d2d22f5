"""What every answer carries, and what none lets through."""

from __future__ import annotations

from typing import Any

import pytest

from allocation_api.api import SECURITY_HEADERS, AllocationApi
from allocation_api.errors import MAX_REPORTED_PROBLEMS, to_api_error
from allocation_api.requests import MAX_BODY_BYTES
from allocation_api.settings import ApiSettings
from tests.integration.api.client import Client, user
from tests.unit.api.test_routes import ENVIRONMENT


@pytest.fixture(scope="module")
def api() -> Client:
    return Client(AllocationApi(ApiSettings.model_validate(ENVIRONMENT)).handle)


@pytest.mark.parametrize(
    ("method", "target", "claims", "status"),
    [
        ("GET", "/openapi.json", None, 200),
        ("GET", "/api/devices", None, 401),
        ("GET", "/api/users/u1", user("u2"), 403),
        ("GET", "/api/nothing", user("u1"), 404),
        ("PATCH", "/api/devices", user("u1"), 405),
        ("POST", "/api/allocations", user("u1"), 422),
        ("GET", "/api/devices", user("u1"), 503),
    ],
)
def test_every_answer_carries_the_security_headers(
    api: Client, method: str, target: str, claims: dict[str, str] | None, status: int
) -> None:
    reply = api.send(method, target, claims)

    assert reply.status == status
    assert reply.headers.items() >= SECURITY_HEADERS.items()


@pytest.mark.parametrize("extra", [0, 1])
def test_a_body_may_be_as_long_as_the_limit(api: Client, extra: int) -> None:
    body = b'{"userId": "%s"}' % (b"x" * (MAX_BODY_BYTES - 14 + extra))

    reply = api.send("POST", "/api/allocations", body=body)

    assert (reply.status, reply.code) == (
        (413, "payload_too_large") if extra else (422, "invalid_request")
    )


def test_a_hundred_requests_with_the_longest_ids_and_keys_fit(api: Client) -> None:
    item: dict[str, Any] = {
        "userId": "设" * 64,
        "durationMinutes": 1440,
        "minCpuCores": 10**9,
        "minMemoryMB": 10**9,
        "idempotencyKey": "k" * 128,
    }

    reply = api.send("POST", "/api/allocations/batch", body={"requests": [item] * 100})

    assert reply.code == "database_unavailable"  # it got that far


def test_an_answer_names_so_many_problems_at_most(api: Client) -> None:
    item = {f"{number:x}": 0 for number in range(100)}

    reply = api.send("POST", "/api/allocations/batch", body={"requests": [item] * 100})

    assert (reply.status, reply.code) == (422, "invalid_request")
    assert len(reply.fields) == MAX_REPORTED_PROBLEMS


def test_an_error_nobody_foresaw_tells_nothing() -> None:
    statement = "SELECT password FROM users -- Traceback"

    answer = to_api_error(RuntimeError(statement)).gateway_response

    assert answer["statusCode"] == 500
    assert "password" not in answer["body"]
    assert "Traceback" not in answer["body"]
