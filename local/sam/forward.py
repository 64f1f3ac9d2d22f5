"""Forwards streams between addresses: ``python forward.py LISTEN=CONNECT …`` until it is ended.

An address is ``unix:PATH`` or ``tcp:HOST:PORT``. Run twice, here and in a container, it leads from
a port of the container over a socket file to a server that listens on this machine's loopback
interface only, without any port being opened for others. Needs nothing but Python.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import NamedTuple


class Address(NamedTuple):
    """Where to listen, or to connect to."""

    kind: str
    place: str

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        if self.kind == "unix":
            return await asyncio.open_unix_connection(self.place)
        host, _, port = self.place.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def listen(self, to: Address) -> asyncio.Server:
        """Accept connections, each of which is led on."""

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
    """Copy until the sender is done, and say so to the receiver, who may still have to answer."""
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
