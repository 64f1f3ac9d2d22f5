"""Responses of the local servers leave at once: accepted connections have TCP_NODELAY."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.gateway.server import AsgiServer
from ops.listening import HOST, listen

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


def has_no_delay(connection: socket.socket) -> bool:
    return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


async def empty(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def test_accepted_connections_do_not_wait_for_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[bool] = []
    accept = socket.socket.accept

    def note(listener: socket.socket) -> tuple[socket.socket, Any]:
        connection, address = accept(listener)
        accepted.append(has_no_delay(connection))
        return connection, address

    monkeypatch.setattr(socket.socket, "accept", note)
    server = AsgiServer(empty, 0)

    assert httpx.get(f"http://{HOST}:{server.port}/").status_code == 204

    server.stop()
    assert accepted == [True]


def test_a_port_that_is_taken_is_refused() -> None:
    with listen(0) as taken, pytest.raises(OSError, match="in use"):
        listen(taken.getsockname()[1])
