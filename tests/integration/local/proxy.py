"""A TCP relay in front of the broker, whose cable a test can pull."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """Forwards every connection to a port of this machine, until `cut` or `forget`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._forgotten = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def cut(self) -> None:
        """Drop the connections there are; new ones work."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let the connections there are lead nowhere, without a word; new ones work."""
        self._forgotten.set()
        self._forgotten = threading.Event()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    ends = (source, sink, self._forgotten)
                    threading.Thread(target=_relay, args=ends, daemon=True).start()


def _relay(source: socket.socket, sink: socket.socket, forgotten: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            if not forgotten.is_set():
                sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
