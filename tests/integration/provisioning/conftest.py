from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import boto3
import pytest

from local.environment import aws_environment
from tests.integration.provisioning.cloudformation import CloudFormation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.servers.mariadb import MariaDB
    from local.servers.rabbitmq import RabbitMQ

VHOST = "provisioned"
DATABASE = "cloudphone_provisioned"
ACCOUNT = ("application", "secret of 'mine' 100%")
OPERATIONS = ("application_operations", "secret of operators")


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    with CloudFormation() as server:
        yield server


@pytest.fixture
def database(mariadb: MariaDB) -> Iterator[MariaDB]:
    """The server with an empty database, and without the application's account."""
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
        for user, _ in (ACCOUNT, OPERATIONS):
            cursor.execute(f"DROP USER IF EXISTS '{user}'@'%'")
        yield mariadb
        for user, _ in (ACCOUNT, OPERATIONS):
            cursor.execute(f"DROP USER IF EXISTS '{user}'@'%'")


@pytest.fixture
def secret(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    return stored(*ACCOUNT)


def stored(user: str, password: str) -> str:
    """Store an account as a secret, and return its ARN."""
    text = json.dumps({"username": user, "password": password})
    client = boto3.client("secretsmanager")
    return str(client.create_secret(Name=user, SecretString=text)["ARN"])


@pytest.fixture(autouse=True)
def environment(
    database: MariaDB, rabbitmq: RabbitMQ, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables of template.yaml; but the broker's account is in its URL, not in a secret."""
    rabbitmq.delete_vhost(VHOST)
    monkeypatch.setenv("DATABASE_URL", database.url_of(DATABASE))
    monkeypatch.setenv("BROKER_URL", rabbitmq.url_of(VHOST))
    monkeypatch.setenv("BROKER_MANAGEMENT_URL", f"http://127.0.0.1:{rabbitmq.ports.management}")
    monkeypatch.setenv("APPLICATION_USER", ACCOUNT[0])
    monkeypatch.setenv("APPLICATION_SECRET_ARN", secret)
    monkeypatch.setenv("OPERATIONS_USER", OPERATIONS[0])
    monkeypatch.setenv("OPERATIONS_SECRET_ARN", stored(*OPERATIONS))
