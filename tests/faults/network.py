"""A network that fails between the function and its servers: proxies on this machine, seeded.

What happens to a connection, and after how many bytes, follows from the seed and its number. The
bytes are counted in both directions, so most faults are in the middle of a packet.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from threading import Thread
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from local.ports import HOST
from tests.faults.drill_plan import NetworkFault, seeded

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter, Task
    from collections.abc import Iterable
    from random import Random

    from tests.faults.drill_plan import DrillPlan

_CHUNK: Final = 65_536
_MIN_BYTES: Final = 100.0
_MAX_BYTES: Final = {"mysql": 30_000.0, "http": 10_000.0, "amqp": 3_000.0}
"""Number of bytes before a fault, by server; small numbers are as likely as large ones."""
_DELAYS: Final = (0.05, 3.0)
"""Seconds; a nudge of the dispatcher is given up within them, a statement is not."""
_CLOSING_SECONDS: Final = 0.05
"""How long asyncio may take to close sockets: it says nothing when it has."""
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends RST instead of FIN."""


class Network:
    """Proxies of servers, until as many faults as planned have happened; a context manager."""

    def __init__(self, plan: DrillPlan) -> None:
        self.faults: Counter[tuple[str, NetworkFault]] = Counter()
        """How often each happened, by the scheme of the server's URL and the fault."""
        self.kinds = plan.network_kinds
        self._wanted = plan.network_faults
        self._schemes = plan.network_schemes
        self._seed = plan.seed
        self._connections: Counter[str] = Counter()
        self._proxies: dict[str, str] = {}
        self._open: dict[_Connection, Task[None] | None] = {}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="network", daemon=True)

    def through(self, urls: Iterable[str]) -> list[str]:
        """Return the URLs under which the function reaches servers."""
        return [
            (self._proxies.get(url) or self._proxied(url)) if self._fails(url) else url
            for url in urls
        ]

    def count(self) -> int:
        """Return how many faults have happened."""
        return self.faults.total()

    def next_connection(self, scheme: str) -> Random:
        """Return what decides the faults of the next connection to a server."""
        self._connections[scheme] += 1
        return seeded(self._seed, "network", scheme, self._connections[scheme])

    def note(self, scheme: str, fault: NetworkFault) -> bool:
        """Count a fault that is due; return False if there were enough."""
        if self.count() >= self._wanted:
            return False
        self.faults[scheme, fault] += 1
        return True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _fails(self, url: str) -> bool:
        return self._wanted > 0 and urlsplit(url).scheme in self._schemes

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(_CLOSING_SECONDS)

    def _proxied(self, url: str) -> str:
        parts = urlsplit(url)

        async def accept(reader: StreamReader, writer: StreamWriter) -> None:
            connection = _Connection(self, parts.scheme, parts.port or 0)
            self._open[connection] = asyncio.current_task()  # the loop has a weak reference only
            try:
                await connection.serve(reader, writer)
            finally:
                del self._open[connection]

        async def listen() -> int:
            server = await asyncio.start_server(accept, HOST, 0)
            self._servers.append(server)
            port: int = server.sockets[0].getsockname()[1]
            return port

        port = asyncio.run_coroutine_threadsafe(listen(), self._loop).result()
        login, at, _ = parts.netloc.rpartition("@")
        self._proxies[url] = parts._replace(netloc=f"{login}{at}{HOST}:{port}").geturl()
        return self._proxies[url]


class _Connection:
    """A client's connection and the one to the server."""

    def __init__(self, network: Network, scheme: str, port: int) -> None:
        self._network = network
        self._scheme = scheme
        self._port = port
        self._chance = network.next_connection(scheme)
        self._silent = False
        self._left = 0
        self._draw()

    async def serve(self, client_reader: StreamReader, client: StreamWriter) -> None:
        try:
            server_reader, server = await asyncio.open_connection(HOST, self._port)
        except OSError:
            client.close()
            return
        there = self._pump(client_reader, server, client)
        back = self._pump(server_reader, client, server)
        try:
            await asyncio.gather(there, back)
        finally:
            client.transport.abort()
            server.transport.abort()

    async def _pump(self, reader: StreamReader, writer: StreamWriter, back: StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                while data and not self._silent:
                    part, data = data[: self._left], data[self._left :]
                    self._left -= len(part)
                    writer.write(part)
                    await writer.drain()
                    if not self._left and await self._suffer(writer, back):
                        return
        if not self._silent:
            writer.close()

    async def _suffer(self, *ends: StreamWriter) -> bool:
        """Let the fault happen that is due; return whether it closed the connection."""
        fault = self._fault
        self._draw()
        if not self._network.note(self._scheme, fault):
            return False
        match fault:
            case NetworkFault.DELAY:
                await asyncio.sleep(self._chance.uniform(*_DELAYS))
            case NetworkFault.HALF_OPEN:
                self._silent = True
            case NetworkFault.CUT:
                for end in ends:
                    end.close()
            case NetworkFault.RESET:
                for end in ends:
                    _reset(end)
        return fault in {NetworkFault.CUT, NetworkFault.RESET}

    def _draw(self) -> None:
        self._fault = self._chance.choice(self._network.kinds)
        most = _MAX_BYTES[self._scheme] / _MIN_BYTES
        self._left = int(_MIN_BYTES * most ** self._chance.random())


def _reset(end: StreamWriter) -> None:
    raw: socket.socket = end.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    end.transport.abort()
