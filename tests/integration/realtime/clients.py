"""Clients of a running WebSocket API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from websockets.sync.client import ClientConnection, connect

if TYPE_CHECKING:
    from scheduler.realtime.connections import Connections
    from scheduler.realtime.tickets import Tickets

RECEIVE_TIMEOUT: Final = 30
"""Seconds."""


class Clients:
    """Connects users to the API on a port."""

    def __init__(self, port: int, tickets: Tickets, connections: Connections) -> None:
        self.port = port
        self.tickets = tickets
        self.connections = connections

    def ticket(self, user_id: str, now: datetime | None = None) -> str:
        """Return a ticket issued now or at the given time."""
        return self.tickets.issue(user_id, now or datetime.now(UTC)).secret

    def open(self, ticket: str, **query: str) -> ClientConnection:
        """Connect with a ticket."""
        url = f"ws://127.0.0.1:{self.port}/?ticket={ticket}"
        for name, value in query.items():
            url += f"&{name}={value}"
        return connect(url, compression=None)

    def connect(self, user_id: str, **query: str) -> ClientConnection:
        """Connect a user with a new ticket."""
        return self.open(self.ticket(user_id), **query)


def receive(socket: ClientConnection) -> dict[str, Any]:
    """Return the next frame."""
    frame: dict[str, Any] = json.loads(socket.recv(timeout=RECEIVE_TIMEOUT))
    return frame
