from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.environment import aws_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.api.client import Client

ALL_WELL = {"database": "ok", "broker": "ok", "dynamodb": "ok"}


@pytest.fixture
def whole_api(
    start_api: Callable[..., Client],
    broker_url: str,
    aws_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Client]:
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    return lambda **variables: start_api(**({"BROKER_URL": broker_url} | variables))


def test_all_is_well_when_everything_answers(whole_api: Callable[..., Client]) -> None:
    reply = whole_api().get("/api/health", claims=None)

    assert (reply.status, reply.body) == (200, ALL_WELL)


@pytest.mark.parametrize(
    ("variables", "sick", "reason"),
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
def test_what_is_away_is_named_with_the_kind_of_failure_and_nothing_more(
    whole_api: Callable[..., Client], variables: dict[str, str], sick: str, reason: str
) -> None:
    reply = whole_api(**variables).get("/api/health", claims=None)

    assert (reply.status, reply.body) == (503, ALL_WELL | {sick: reason})
