"""Fixtures: the deployed handler behind the local gateway, on real servers, and who talks to it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import boto3
import pytest

from local.environment import aws_environment, function_environment, websocket_environment
from local.ports import free_port
from local.template import function_variable
from local.websocket import start_websocket
from scheduler.database.connection import connect
from scheduler.realtime.connections import Connections
from scheduler.realtime.tickets import Tickets
from scheduler.settings import DatabaseSettings
from tests.integration.realtime.notices import Notices
from tests.integration.realtime.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from types_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table


@pytest.fixture
def dynamodb(aws_url: str) -> DynamoDBServiceResource:
    variables = aws_environment(aws_url)
    return boto3.resource(
        "dynamodb",
        endpoint_url=aws_url,
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def tickets_table(dynamodb: DynamoDBServiceResource) -> Table:
    return dynamodb.Table(function_variable("REALTIME_TICKETS_TABLE"))


@pytest.fixture
def connections_table(dynamodb: DynamoDBServiceResource) -> Table:
    return dynamodb.Table(function_variable("REALTIME_CONNECTIONS_TABLE"))


@pytest.fixture
def tickets(tickets_table: Table) -> Tickets:
    return Tickets(tickets_table)


@pytest.fixture
def connections(connections_table: Table) -> Connections:
    return Connections(connections_table)


@pytest.fixture
def notices(database_url: str) -> Iterator[Notices]:
    settings = DatabaseSettings.model_validate({"DATABASE_URL": database_url})
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SET autocommit = 1")
        yield Notices(cursor)


@pytest.fixture
def realtime(
    database_url: str, aws_url: str, tickets: Tickets, connections: Connections, tmp_path: Path
) -> Iterator[Platform]:
    """The WebSocket API, served by the real handler in Lambda environments."""
    port = free_port()
    environment = function_environment(database_url, "amqp://127.0.0.1:1/nowhere", aws_url)
    gateway = start_websocket(port, environment | websocket_environment(port), tmp_path)
    yield Platform(port, tickets, connections)
    gateway.stop()
