"""The time limits of a connection."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from local.websocket.connection import ClosedError, Connection
from local.websocket.events import Peer

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

NEVER = timedelta(days=1)
SOON = timedelta(milliseconds=20)
LONG_AGO = timedelta(hours=1)


class FakeSocket:
    """A client that sends one message, or none."""

    def __init__(self, says: str | None = None) -> None:
        self.closed: tuple[int, str] | None = None
        self._says = says

    async def receive(self) -> dict[str, Any]:
        if self._says is None:
            await asyncio.Event().wait()
        return {"type": "websocket.receive", "text": self._says}

    async def send_text(self, text: str) -> None:
        pass

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


def connection(
    socket: FakeSocket,
    age: timedelta = timedelta(0),
    max_duration: timedelta = NEVER,
    idle_timeout: timedelta = NEVER,
) -> Connection:
    peer = Peer("id", datetime.now(UTC) - age, "127.0.0.1", "test", "127.0.0.1")
    return Connection(peer, cast("WebSocket", socket), max_duration, idle_timeout)


@pytest.mark.parametrize(("max_duration", "idle_timeout"), [(SOON, NEVER), (NEVER, SOON)])
def test_connection_is_closed_at_its_time_limits(
    max_duration: timedelta, idle_timeout: timedelta
) -> None:
    socket = FakeSocket()

    with pytest.raises(ClosedError) as end:
        asyncio.run(
            connection(socket, max_duration=max_duration, idle_timeout=idle_timeout).receive()
        )

    assert end.value.code == 1001
    assert socket.closed == (1001, "Going away")


def test_sending_keeps_a_connection_alive() -> None:
    async def send_and_receive() -> str | bytes:
        one = connection(FakeSocket(says="still here"), age=LONG_AGO, idle_timeout=LONG_AGO / 2)
        await one.send("frame")
        return await one.receive()

    assert asyncio.run(send_and_receive()) == "still here"
