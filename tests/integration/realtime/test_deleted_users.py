"""A deleted user loses their connections, and their tickets open no new ones."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import Function
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from types_boto3_dynamodb.service_resource import Table

    from tests.integration.realtime.clients import Clients


@pytest.fixture
def functions(database_url: str) -> Iterator[Functions]:
    with Functions(database_url) as made:
        yield made


@pytest.fixture
def housekeeping(environment: dict[str, str], tmp_path: Path) -> Iterator[LambdaEnvironment]:
    handler = "housekeeping.app.handler"
    function = Function("housekeeping", handler, environment, tmp_path, 60)
    with closing(LambdaEnvironment(function, "housekeeping")) as started:
        yield started


def test_ticket_of_a_deleted_user_is_refused(clients: Clients, functions: Functions) -> None:
    ticket = clients.ticket("u1")
    functions.handle(message("user.deleted", userId="u1"))

    with pytest.raises(InvalidStatus, match="401"), clients.open(ticket):
        pass
    with clients.connect("u2"):
        pass


def items(table: Table) -> list[dict[str, Any]]:
    """Return the connections, without the items that count them."""
    return [dict(item) for item in table.scan()["Items"] if "open_items" not in item]


def keys(table: Table, attribute: str) -> set[str]:
    """Return the keys of the items that have an attribute."""
    (key,) = table.key_schema
    name = key["AttributeName"]
    return {str(item[name]) for item in table.scan()["Items"] if attribute in item}


def test_connection_that_never_became_active_is_closed_too(
    clients: Clients,
    functions: Functions,
    housekeeping: LambdaEnvironment,
    connections_table: Table,
) -> None:
    """Lambda discards the function's own event after a minute, if it cannot run it by then."""
    with clients.connect("u1") as socket:
        eventually(
            lambda: all("user_id" in item for item in items(connections_table)), "it is active"
        )
        (item,) = items(connections_table)
        key = {"connection_id": item["connection_id"]}
        connections_table.update_item(Key=key, UpdateExpression="REMOVE user_id")
        functions.handle(message("user.deleted", userId="u1"))

        result = json.loads(housekeeping.invoke(b'{"jobs": ["erase-deleted-users"]}'))

        assert result["erase-deleted-users"]["status"] == "done"
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)
    assert connections_table.scan()["Items"] == []


def test_connections_of_a_deleted_user_are_closed(
    clients: Clients,
    functions: Functions,
    housekeeping: LambdaEnvironment,
    connections_table: Table,
) -> None:
    with clients.connect("u1") as first, clients.connect("u1") as second, clients.connect("u2"):
        eventually(
            lambda: all("user_id" in item for item in items(connections_table)),
            "all connections are active",
        )
        functions.handle(message("user.deleted", userId="u1"))

        result = json.loads(housekeeping.invoke(b'{"jobs": ["erase-deleted-users"]}'))

        assert result["erase-deleted-users"]["status"] == "done"
        for socket in (first, second):
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=30)
        owners = [item["owner"] for item in items(connections_table)]
        assert owners == ["u2"]
        assert keys(connections_table, "open_items") == {"user:u2"}


def test_open_tickets_of_a_deleted_user_are_deleted(
    clients: Clients, functions: Functions, housekeeping: LambdaEnvironment, tickets_table: Table
) -> None:
    for user_id in ("u1", "u1", "u2"):
        clients.ticket(user_id)
    functions.handle(message("user.deleted", userId="u1"))

    housekeeping.invoke(b'{"jobs": ["erase-deleted-users"]}')

    left = tickets_table.scan()["Items"]
    assert [item["user_id"] for item in left if "user_id" in item] == ["u2"]
    assert keys(tickets_table, "open_items") == {"user:u2"}
