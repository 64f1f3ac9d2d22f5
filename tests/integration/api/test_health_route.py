from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.environment import aws_environment
from scheduler.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.api.client import Client

HEALTHY = {"database": "ok", "broker": "ok", "dynamodb": "ok"}


@pytest.fixture
def healthy_api(
    start_api: Callable[..., Client],
    broker_url: str,
    aws_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Client]:
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    return lambda **variables: start_api(**({"BROKER_URL": broker_url} | variables))


def test_the_report_is_ok_if_every_dependency_is(healthy_api: Callable[..., Client]) -> None:
    reply = healthy_api().get("/api/health", claims=None)

    assert (reply.status, reply.body) == (200, HEALTHY | {"version": VERSION})


@pytest.mark.parametrize(
    ("variables", "unhealthy", "reason"),
    [
        (
            {"DATABASE_URL": "mysql://root:secret@127.0.0.1:1/cloudphone"},
            "database",
            "unavailable (OperationalError)",
        ),
        (
            {"BROKER_URL": "amqp://guest:secret@127.0.0.1:1/cloudphone"},
            "broker",
            "unavailable (AMQPConnectionError)",
        ),
        (
            {"PAYMENT_FAILURES_TABLE": "absent"},
            "dynamodb",
            "unavailable (ResourceNotFoundException)",
        ),
    ],
)
def test_an_unavailable_dependency_is_reported_without_details(
    healthy_api: Callable[..., Client], variables: dict[str, str], unhealthy: str, reason: str
) -> None:
    reply = healthy_api(**variables).get("/api/health", claims=None)

    assert (reply.status, reply.body) == (503, HEALTHY | {unhealthy: reason, "version": VERSION})
