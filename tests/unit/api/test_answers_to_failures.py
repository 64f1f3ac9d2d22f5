from __future__ import annotations

import pytest
from pymysql import MySQLError, OperationalError, ProgrammingError

from allocation_api.errors import forbidden, invalid, not_found, to_api_error
from scheduler.allocation.device_picker import PoolContendedError
from scheduler.allocation.idempotency import KeyReusedError
from scheduler.database.errors import DatabaseUnavailableError, StaleSnapshotError
from scheduler.domain.refusal import Refusal, RefusedError

STATEMENT = "SELECT password FROM users"


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
def test_every_failure_has_an_answer_that_tells_no_secrets(
    error: Exception, status: int, code: str
) -> None:
    answer = to_api_error(error)

    assert (answer.status, answer.body["error"]["code"]) == (status, code)
    assert answer.body["error"]["message"]
    assert STATEMENT not in str(answer.body)


def test_a_refusal_that_time_mends_says_when_to_come_back() -> None:
    assert to_api_error(PoolContendedError()).headers == {"Retry-After": "1"}
