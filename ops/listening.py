"""The sockets that this machine's web servers listen on."""

from __future__ import annotations

import socket
from typing import Final

HOST: Final = "127.0.0.1"
_BACKLOG: Final = 1024


def listen(port: int) -> socket.socket:
    """Listen on a port of 127.0.0.1; 0 chooses a free one.

    Raises:
        OSError: the port is taken.
    """
    listener = socket.create_server((HOST, port), backlog=_BACKLOG)
    # Accepted connections inherit it. Without it a response, which is written in two parts, waits
    # 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
