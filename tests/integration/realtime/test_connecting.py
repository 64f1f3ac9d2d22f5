"""$connect and $disconnect: the deployed handler, real sockets, DynamoDB."""

from __future__ import annotations

import socket as sockets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import InvalidStatus

from scheduler.realtime.connections import MAX_CONNECTIONS
from tests.support.together import eventually

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table

    from scheduler.realtime.connections import Connections
    from tests.integration.realtime.clients import Clients

HOUR = 3600


def items(table: Table) -> list[dict[str, Any]]:
    """Return the connections or tickets, without the items that count them."""
    return [dict(item) for item in table.scan()["Items"] if "open_items" not in item]


def test_ticket_opens_a_connection_that_becomes_active(
    clients: Clients, connections_table: Table
) -> None:
    before = datetime.now(UTC).timestamp()

    with clients.connect("u1"):
        eventually(lambda: "user_id" in items(connections_table)[0], "the connection is active")
        (item,) = items(connections_table)

    assert item["user_id"] == "u1"
    assert 0 <= int(item["expires_at"]) - int(before) - 2 * HOUR <= 60


def test_user_may_have_several_connections(clients: Clients, connections_table: Table) -> None:
    with clients.connect("u1"), clients.connect("u1"), clients.connect("u2"):
        eventually(
            lambda: (
                sorted(i.get("user_id", "") for i in items(connections_table)) == ["u1", "u1", "u2"]
            ),
            "all connections are active",
        )


def test_connections_of_a_user_are_limited(clients: Clients, connections: Connections) -> None:
    now = datetime.now(UTC)
    for number in range(MAX_CONNECTIONS):
        connections.add(f"open {number}", "u1", now)
        connections.activate(f"open {number}")

    with pytest.raises(InvalidStatus) as refused, clients.connect("u1"):
        pass

    assert refused.value.response.status_code == 429
    with clients.connect("u2"):
        pass


def test_connections_that_have_ended_make_room(clients: Clients, connections: Connections) -> None:
    now = datetime.now(UTC)
    for number in range(MAX_CONNECTIONS):
        assert connections.add(f"ended {number}", "u1", now - timedelta(hours=3 * (number % 2)))
    for number in range(0, MAX_CONNECTIONS, 2):
        connections.remove(f"ended {number}")  # the others have expired

    with clients.connect("u1"):
        pass


def test_limit_of_connections_holds_when_many_open_at_once(
    connections: Connections, connections_table: Table
) -> None:
    now = datetime.now(UTC)

    with ThreadPoolExecutor(32) as pool:
        admitted = sum(pool.map(lambda n: connections.add(f"c{n}", "u1", now), range(200)))

    assert admitted == MAX_CONNECTIONS
    assert len(items(connections_table)) == MAX_CONNECTIONS


def test_closed_connection_is_removed(clients: Clients, connections_table: Table) -> None:
    with clients.connect("u1"):
        assert len(items(connections_table)) == 1

    eventually(lambda: not items(connections_table), "the connection is removed")


def test_used_ticket_is_refused(clients: Clients, connections_table: Table) -> None:
    ticket = clients.ticket("u1")
    with clients.open(ticket), pytest.raises(InvalidStatus) as refused, clients.open(ticket):
        pass

    assert refused.value.response.status_code == 401
    eventually(
        lambda: not items(connections_table), "only the first connection existed, and it is removed"
    )


def test_missing_unknown_and_expired_tickets_are_refused(
    clients: Clients, connections_table: Table
) -> None:
    expired = clients.ticket("u1", datetime.now(UTC) - timedelta(seconds=90))

    for ticket in ("", "unknown", expired):
        with pytest.raises(InvalidStatus) as refused, clients.open(ticket):
            pass
        assert refused.value.response.status_code == 401
    assert not items(connections_table)


def test_invalid_since_is_refused_without_redeeming_the_ticket(clients: Clients) -> None:
    ticket = clients.ticket("u1")

    with pytest.raises(InvalidStatus) as refused, clients.open(ticket, since="yesterday"):
        pass

    assert refused.value.response.status_code == 400
    with clients.open(ticket):
        pass


def test_client_that_aborts_the_handshake_leaves_no_connection(
    clients: Clients, connections_table: Table, tickets_table: Table
) -> None:
    ticket = clients.ticket("u1")
    with sockets.create_connection(("127.0.0.1", clients.port)) as raw:
        raw.sendall(
            f"GET /?ticket={ticket} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
    eventually(lambda: not items(tickets_table), "the ticket is redeemed")

    eventually(lambda: not items(connections_table), "the connection is removed")
