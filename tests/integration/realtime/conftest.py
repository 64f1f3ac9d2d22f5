"""Fixtures: the deployed handler behind the local gateway, on real servers, and its clients."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from local.aws import aws_client
from local.environment import function_environment, websocket_environment
from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import Function
from local.ports import free_port
from local.template import function_variable
from local.websocket import start_websocket
from scheduler.database.connection import connect
from scheduler.realtime.connections import Connections
from scheduler.realtime.tickets import Tickets
from scheduler.settings import DatabaseSettings
from tests.integration.realtime.clients import Clients
from tests.integration.realtime.stored_notifications import StoredNotifications
from tests.support.tables import dynamodb_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb.service_resource import Table

    from local.servers.mariadb import MariaDB
    from local.servers.moto import Moto
    from local.servers.rabbitmq import RabbitMQ


@pytest.fixture
def tickets_table(aws_url: str) -> Table:
    return dynamodb_table(aws_url, "REALTIME_TICKETS_TABLE")


@pytest.fixture
def connections_table(aws_url: str) -> Table:
    return dynamodb_table(aws_url, "REALTIME_CONNECTIONS_TABLE")


@pytest.fixture
def tickets(aws_url: str) -> Tickets:
    return Tickets(aws_client("dynamodb", aws_url), function_variable("REALTIME_TICKETS_TABLE"))


@pytest.fixture
def connections(aws_url: str) -> Connections:
    table = function_variable("REALTIME_CONNECTIONS_TABLE")
    return Connections(aws_client("dynamodb", aws_url), table)


@pytest.fixture
def notifications(database_url: str) -> Iterator[StoredNotifications]:
    settings = DatabaseSettings.model_validate({"DATABASE_URL": database_url})
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SET autocommit = 1")
        yield StoredNotifications(cursor)


@pytest.fixture(scope="module")
def environment(mariadb: MariaDB, rabbitmq: RabbitMQ, moto: Moto) -> dict[str, str]:
    """The functions' environment. It stays valid when the servers are emptied between tests."""
    port = free_port()
    return function_environment(mariadb.url, rabbitmq.url, moto.url) | websocket_environment(port)


@pytest.fixture(scope="module")
def port(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the WebSocket API, served by the real handler in Lambda environments."""
    port = urlsplit(environment["WEBSOCKET_ENDPOINT"]).port or 0
    gateway = start_websocket(port, environment, tmp_path_factory.mktemp("realtime"))
    yield port
    gateway.stop()


@pytest.fixture
def clients(port: int, database_url: str, tickets: Tickets, connections: Connections) -> Clients:
    del database_url  # requested to empty the database; the function has its URL
    return Clients(port, tickets, connections)


@pytest.fixture(scope="module")
def dispatcher(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LambdaEnvironment]:
    """The real dispatcher, for tests to invoke."""
    function = Function(
        "notification-dispatch",
        "notification_dispatch.app.handler",
        environment | {"POWERTOOLS_SERVICE_NAME": "notification-dispatch"},
        tmp_path_factory.mktemp("dispatch"),
        60,
    )
    with closing(LambdaEnvironment(function, "dispatch")) as started:
        yield started
