"""A TCP relay that delays requests, because moto responds faster than DynamoDB."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final

from local.ports import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

DELAY: Final = 0.005
"""Seconds by which requests are delayed."""

_CHUNK: Final = 65_536


@contextlib.contextmanager
def delayed(target: int) -> Iterator[str]:
    """Relay to a local port during the block and yield the URL of the relay."""
    port, loop = free_port(), asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(lambda *ends: _serve(target, *ends), HOST, port)
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{port}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _serve(target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    answers, requests = await asyncio.open_connection(HOST, target)
    await asyncio.gather(_relay(reader, requests, DELAY), _relay(answers, writer, 0))


async def _relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay: float) -> None:
    line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        data = b"."
        while data:
            data = await source.read(_CHUNK)
            line.put_nowait((time.monotonic() + delay, data))

    arriving = asyncio.create_task(arrive())
    with contextlib.suppress(OSError):
        while True:
            due, data = await line.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not data:
                break
            sink.write(data)
            await sink.drain()
    arriving.cancel()
    sink.close()
