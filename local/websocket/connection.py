"""An open WebSocket, with the time limits of API Gateway."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from starlette.websockets import WebSocketDisconnect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.websockets import WebSocket

    from local.websocket.events import Peer

_MAX_DURATION: Final = timedelta(hours=2)
_IDLE_TIMEOUT: Final = timedelta(minutes=10)
"""API Gateway's quotas: how long a connection may last, and how long without any message."""

_GOING_AWAY: Final = 1001
_NORMAL: Final = 1000
_NO_STATUS: Final = 1005

# What Starlette and uvicorn raise when the client has closed the connection.
_CLOSED_ERRORS: Final = (WebSocketDisconnect, RuntimeError, OSError)


class ClosedError(Exception):
    """The socket is closed.

    Attributes:
        code: the close code (RFC 6455).
        reason: the close reason.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Connection:
    """One socket; use it in its event loop only."""

    def __init__(
        self,
        peer: Peer,
        socket: WebSocket,
        max_duration: timedelta = _MAX_DURATION,
        idle_timeout: timedelta = _IDLE_TIMEOUT,
    ) -> None:
        self.peer = peer
        self.last_active = peer.connected_at
        self._socket = socket
        self._ends_at = peer.connected_at + max_duration
        self._idle_timeout = idle_timeout

    async def open(self) -> None:
        """Complete the handshake.

        Raises:
            ClosedError: the client has closed the connection.
        """
        try:
            await self._socket.accept()
        except _CLOSED_ERRORS as error:
            raise ClosedError(_NO_STATUS, repr(error)) from error

    async def receive(self) -> str | bytes:
        """Return the next message from the client.

        Raises:
            ClosedError: the connection has ended, or was closed because a time limit was reached.
        """
        while (left := self._seconds_left()) > 0:
            try:
                async with asyncio.timeout(left):
                    message = await self._socket.receive()
            except TimeoutError:
                continue  # a message sent meanwhile extends the time
            if message["type"] == "websocket.disconnect":
                raise ClosedError(message.get("code") or _NO_STATUS, message.get("reason") or "")
            self.last_active = datetime.now(UTC)
            return _content(message)
        await self._close(_GOING_AWAY, "Going away")
        raise ClosedError(_GOING_AWAY, "Going away")

    async def send(self, frame: str | bytes) -> None:
        """Send a message.

        Raises:
            ClosedError: the client has closed the connection.
        """
        try:
            if isinstance(frame, str):
                await self._socket.send_text(frame)
            else:
                await self._socket.send_bytes(frame)
        except _CLOSED_ERRORS as error:
            raise ClosedError(_NO_STATUS, repr(error)) from error
        self.last_active = datetime.now(UTC)

    async def close(self) -> None:
        """Close the connection with the code and reason of DeleteConnection."""
        await self._close(_NORMAL, "Connection Closed Normally")

    async def _close(self, code: int, reason: str) -> None:
        try:
            await self._socket.close(code, reason)
        except _CLOSED_ERRORS:
            return  # the client has closed it already

    def _seconds_left(self) -> float:
        ends_at = min(self._ends_at, self.last_active + self._idle_timeout)
        return (ends_at - datetime.now(UTC)).total_seconds()


def _content(message: Mapping[str, Any]) -> str | bytes:
    text: str | None = message.get("text")
    content: str | bytes = message["bytes"] if text is None else text
    return content
