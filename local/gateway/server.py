"""ASGI applications served on 127.0.0.1 from threads of this process."""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

from local.ports import HOST

if TYPE_CHECKING:
    from starlette.types import ASGIApp

MESSAGE_LIMIT: Final = 128 * 1024
"""Bytes of a WebSocket message (WebSocket API quota); a longer one closes its socket."""

_GRACE_SECONDS: Final = 5
_REFUSED_HANDSHAKE: Final = "ASGI callable returned without completing handshake."
_BACKLOG: Final = 1024


class AsgiServer:
    """One application on one port; it accepts connections as soon as it is made.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._socket = socket.create_server((HOST, port), backlog=_BACKLOG)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_SECONDS,
                ws_max_size=MESSAGE_LIMIT,
                ws_ping_interval=None,  # API Gateway leaves that to the clients
                ws_per_message_deflate=False,  # and compresses nothing
            )
        )
        logging.getLogger("uvicorn.error").addFilter(_is_no_refusal)
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
        """Answer what is being answered, a few seconds at most, and close the port."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def _is_no_refusal(record: logging.LogRecord) -> bool:
    # uvicorn logs an error for each WebSocket that is refused by a response of the application.
    return record.msg != _REFUSED_HANDSHAKE
