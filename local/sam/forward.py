"""Forwards streams between addresses until it is stopped: ``python forward.py LISTEN=CONNECT …``.

An address is ``unix:PATH`` or ``tcp:HOST:PORT``. Running here and in a container, it connects a
port of the container through a socket file to a server that listens on this machine's loopback
interface only; no port is opened for other machines. It only uses the standard library.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import NamedTuple


class Address(NamedTuple):
    """An address to listen on or connect to."""

    kind: str
    place: str

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the address."""
        if self.kind == "unix":
            return await asyncio.open_unix_connection(self.place)
        host, _, port = self.place.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def listen(self, to: Address) -> asyncio.Server:
        """Accept connections and forward each to another address."""

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there, back = await to.connect()
            except OSError:
                writer.close()
                return
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
            for done in (back, writer):
                done.close()

        if self.kind == "unix":
            return await asyncio.start_unix_server(accepted, self.place)
        host, _, port = self.place.rpartition(":")
        return await asyncio.start_server(accepted, host, int(port))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the sender is done, then close that direction; the receiver may still respond."""
    with suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


async def _forward(routes: list[str]) -> None:
    for route in routes:
        listen, _, connect = route.partition("=")
        await Address(*_split(listen)).listen(Address(*_split(connect)))
    print("forwarding", flush=True)
    await asyncio.Event().wait()


def _split(address: str) -> tuple[str, str]:
    kind, _, place = address.partition(":")
    return kind, place


if __name__ == "__main__":
    asyncio.run(_forward(sys.argv[1:]))
