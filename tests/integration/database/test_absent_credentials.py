"""Credentials that cannot be read are treated as an outage of the server."""

from __future__ import annotations

import pytest

from local.ports import free_port
from scheduler.database.connection import Database
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.outbound import BrokerUnavailableError, OutboundMessage
from scheduler.messaging.publisher import Publisher
from scheduler.settings import BrokerSettings, DatabaseSettings

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:absent"


@pytest.fixture(autouse=True)
def no_secrets_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")


@pytest.fixture
def publisher() -> Publisher:
    return Publisher(
        BrokerSettings(BROKER_URL="amqps://127.0.0.1:1/cloudphone", BROKER_SECRET_ARN=ARN)
    )


def test_a_secret_that_cannot_be_read_makes_the_database_unavailable() -> None:
    settings = DatabaseSettings(
        DATABASE_URL="mysql://127.0.0.1:1/x", DATABASE_AUTH="secret", DATABASE_SECRET_ARN=ARN
    )

    with pytest.raises(DatabaseUnavailableError), Database(settings).transaction():
        raise AssertionError("there are no credentials")


def test_a_secret_that_cannot_be_read_makes_the_broker_unavailable(publisher: Publisher) -> None:
    with pytest.raises(BrokerUnavailableError):
        publisher.publish([OutboundMessage("", "scheduler.device-failed", b"{}", {})])


def test_a_nudge_without_credentials_does_not_raise(publisher: Publisher) -> None:
    Nudge(publisher).send()
