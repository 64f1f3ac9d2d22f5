"""Serves ASGI applications on 127.0.0.1, each in a thread of this process."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

from ops.listening import listen

if TYPE_CHECKING:
    from starlette.types import ASGIApp

MAX_WEBSOCKET_MESSAGE_BYTES: Final = 128 * 1024
"""Maximum bytes of a WebSocket message (WebSocket API quota); a longer one closes the socket."""

_GRACE_SECONDS: Final = 5
_REFUSED_HANDSHAKE: Final = "ASGI callable returned without completing handshake."


class AsgiServer:
    """Serves one application on one port, from its construction until `stop`.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._socket = listen(port)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_SECONDS,
                ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
                ws_ping_interval=None,  # API Gateway leaves pings to the clients
                ws_per_message_deflate=False,  # nor does it compress
            )
        )
        logging.getLogger("uvicorn.error").addFilter(_is_worth_logging)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=f"http-{self.port}", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        port: int = self._socket.getsockname()[1]
        return port

    def stop(self) -> None:
        """Finish the running requests, within a few seconds, and close the port."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def _is_worth_logging(record: logging.LogRecord) -> bool:
    # uvicorn logs an error for each WebSocket that the application refuses with a response.
    return record.msg != _REFUSED_HANDSHAKE
