"""$connect and $disconnect: the deployed handler, real sockets, DynamoDB."""

from __future__ import annotations

import socket as sockets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import InvalidStatus

from realtime.gate import MOST_CONNECTIONS
from tests.support.together import eventually

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table

    from scheduler.realtime.connections import Connections
    from tests.integration.realtime.platform import Platform

HOUR = 3600


def items(table: Table) -> list[dict[str, Any]]:
    return [dict(item) for item in table.scan()["Items"]]


def test_a_ticket_opens_a_connection_that_frames_of_its_user_find(
    realtime: Platform, connections_table: Table
) -> None:
    before = datetime.now(UTC).timestamp()

    with realtime.connect("u1"):
        eventually(lambda: "user_id" in items(connections_table)[0], "it is shown")
        (item,) = items(connections_table)

    assert item["user_id"] == "u1"
    assert 0 <= int(item["expires_at"]) - int(before) - 2 * HOUR <= 60


def test_a_user_may_have_many_connections(realtime: Platform, connections_table: Table) -> None:
    with realtime.connect("u1"), realtime.connect("u1"), realtime.connect("u2"):
        eventually(
            lambda: (
                sorted(i.get("user_id", "") for i in items(connections_table)) == ["u1", "u1", "u2"]
            ),
            "all are shown",
        )


def test_a_user_may_not_occupy_the_platform(realtime: Platform, connections: Connections) -> None:
    now = datetime.now(UTC)
    for number in range(MOST_CONNECTIONS):
        connections.add(f"open {number}", "u1", now)
        connections.activate(f"open {number}")

    with pytest.raises(InvalidStatus) as refused, realtime.connect("u1"):
        pass

    assert refused.value.response.status_code == 429
    with realtime.connect("u2"):
        pass


def test_the_end_of_a_connection_removes_it(realtime: Platform, connections_table: Table) -> None:
    with realtime.connect("u1"):
        assert len(items(connections_table)) == 1

    eventually(lambda: not items(connections_table), "it is removed")


def test_a_used_ticket_opens_nothing(realtime: Platform, connections_table: Table) -> None:
    ticket = realtime.ticket("u1")
    with realtime.open(ticket), pytest.raises(InvalidStatus) as refused, realtime.open(ticket):
        pass

    assert refused.value.response.status_code == 401
    eventually(lambda: not items(connections_table), "only the first was noted, and has ended")


def test_no_unknown_and_expired_tickets_open_nothing(
    realtime: Platform, connections_table: Table
) -> None:
    expired = realtime.ticket("u1", datetime.now(UTC) - timedelta(seconds=90))

    for ticket in ("", "unknown", expired):
        with pytest.raises(InvalidStatus) as refused, realtime.open(ticket):
            pass
        assert refused.value.response.status_code == 401
    assert not items(connections_table)


def test_a_since_that_makes_no_sense_is_refused_and_costs_no_ticket(realtime: Platform) -> None:
    ticket = realtime.ticket("u1")

    with pytest.raises(InvalidStatus) as refused, realtime.open(ticket, since="yesterday"):
        pass

    assert refused.value.response.status_code == 400
    with realtime.open(ticket):
        pass


def test_a_client_that_does_not_wait_for_the_handshake_leaves_nothing_behind(
    realtime: Platform, connections_table: Table, tickets_table: Table
) -> None:
    ticket = realtime.ticket("u1")
    with sockets.create_connection(("127.0.0.1", realtime.port)) as raw:
        raw.sendall(
            f"GET /?ticket={ticket} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
    eventually(lambda: not items(tickets_table), "the ticket was consumed")

    eventually(lambda: not items(connections_table), "the connection was forgotten")
