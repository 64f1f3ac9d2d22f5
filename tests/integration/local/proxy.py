"""A TCP proxy with which a test interrupts connections."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Proxy:
    """Forwards connections to a port of this machine, until `cut` or `forget`.

    Attributes:
        answers: while it is not set, responses of the server are held back.

    Args:
        target: the port.
        sent: called with the data of a client before it is forwarded.
    """

    def __init__(self, target: int, sent: Callable[[bytes], None] = lambda _: None) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self._target = target
        self._sent = sent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._forgotten = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def before(self, url: str) -> str:
        """Return the URL of a server with the proxy's address."""
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{login}@127.0.0.1:{self.port}").geturl()

    def cut(self) -> None:
        """Close the current connections; new ones work."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Silently drop all data of the current connections; new ones work."""
        self._forgotten.set()
        self._forgotten = threading.Event()

    def close(self) -> None:
        self._listener.close()
        self.answers.set()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except ConnectionRefusedError:
                    client.close()
                else:
                    self._relay(client, server)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        self._sockets += [client, server]
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        forgotten = self._forgotten
        for ends in ((client, server, self._sent), (server, client, self._await_leave)):
            threading.Thread(target=_relay, args=(*ends, forgotten), daemon=True).start()

    def _await_leave(self, _answer: bytes) -> None:
        self.answers.wait()


@contextlib.contextmanager
def proxy_to(url: str) -> Iterator[Proxy]:
    """Run a proxy to the port of a URL."""
    port = urlsplit(url).port
    assert port
    with contextlib.closing(Proxy(port)) as proxy:
        yield proxy


def _relay(
    source: socket.socket,
    sink: socket.socket,
    passing: Callable[[bytes], None],
    forgotten: threading.Event,
) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            passing(data)
            if not forgotten.is_set():
                sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
