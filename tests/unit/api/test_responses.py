"""Responses: their headers, their limits, and which exception becomes which error."""

from __future__ import annotations

from typing import Any

import pytest
from pymysql import MySQLError, OperationalError, ProgrammingError

from allocation_api.api import SECURITY_HEADERS, AllocationApi
from allocation_api.errors import (
    MAX_REPORTED_PROBLEMS,
    forbidden,
    invalid,
    not_found,
    to_api_error,
)
from allocation_api.requests import MAX_BODY_BYTES
from allocation_api.settings import ApiSettings
from scheduler.allocation.device_picker import PoolContendedError
from scheduler.allocation.idempotency import KeyReusedError
from scheduler.database.errors import DatabaseUnavailableError, StaleSnapshotError
from scheduler.domain.refusal import Refusal, RefusedError
from tests.integration.api.client import Client, user
from tests.unit.api.test_routes import ENVIRONMENT

STATEMENT = "SELECT password FROM users"


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
def test_every_response_carries_the_security_headers(
    api: Client, method: str, target: str, claims: dict[str, str] | None, status: int
) -> None:
    reply = api.send(method, target, claims)

    assert reply.status == status
    assert reply.headers.items() >= SECURITY_HEADERS.items()


@pytest.mark.parametrize("extra", [0, 1])
def test_a_body_is_limited_in_length(api: Client, extra: int) -> None:
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

    assert reply.code == "database_unavailable"  # all checks before it passed


def test_a_response_names_a_limited_number_of_problems(api: Client) -> None:
    item = {f"{number:x}": 0 for number in range(100)}

    reply = api.send("POST", "/api/allocations/batch", body={"requests": [item] * 100})

    assert (reply.status, reply.code) == (422, "invalid_request")
    assert len(reply.fields) == MAX_REPORTED_PROBLEMS


def test_an_unexpected_error_reveals_nothing() -> None:
    statement = "SELECT password FROM users -- Traceback"

    response = to_api_error(RuntimeError(statement)).gateway_response

    assert response["statusCode"] == 500
    assert "password" not in response["body"]
    assert "Traceback" not in response["body"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RefusedError(Refusal.USER_DELETED), 403, "user_deleted"),
        (RefusedError(Refusal.USER_SUSPENDED), 403, "user_suspended"),
        (RefusedError(Refusal.BILLING_HOLD), 403, "billing_hold"),
        (RefusedError(Refusal.QUOTA_EXCEEDED), 403, "quota_exceeded"),
        (RefusedError(Refusal.NO_DEVICE_AVAILABLE), 409, "no_device_available"),
        (forbidden(), 403, "forbidden"),
        (not_found("device"), 404, "not_found"),
        (invalid(("body.userId", "is missing")), 422, "invalid_request"),
        (KeyReusedError(), 422, "invalid_request"),
        (DatabaseUnavailableError(STATEMENT), 503, "database_unavailable"),
        (PoolContendedError(), 503, "busy"),
        (StaleSnapshotError(), 503, "busy"),
        (OperationalError(1213, STATEMENT), 503, "busy"),
        (OperationalError(1205, STATEMENT), 503, "busy"),
        (MySQLError(1062, STATEMENT), 503, "busy"),
        (ProgrammingError(1064, STATEMENT), 500, "internal_error"),
        (MySQLError(), 500, "internal_error"),
        (ValueError(STATEMENT), 500, "internal_error"),
        (RecursionError(STATEMENT), 500, "internal_error"),
    ],
)
def test_every_exception_has_a_response_that_reveals_no_secrets(
    error: Exception, status: int, code: str
) -> None:
    response = to_api_error(error)

    assert (response.status, response.body["error"]["code"]) == (status, code)
    assert response.body["error"]["message"]
    assert STATEMENT not in str(response.body)


def test_a_temporary_error_says_when_to_try_again() -> None:
    assert to_api_error(PoolContendedError()).headers == {"Retry-After": "1"}
