"""A user's client of the WebSocket."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


class Listener:
    """Receives frames in the background until it is closed."""

    def __init__(self, url: str) -> None:
        self._frames: dict[str, dict[str, Any]] = {}
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(connect(url))
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def frames(self, type_: str) -> list[dict[str, Any]]:
        """Return the frames of a type; one that came twice is there once, as its id tells."""
        return [frame for frame in list(self._frames.values()) if frame["type"] == type_]

    def close(self) -> None:
        """Disconnect."""
        self._stack.close()
        self._thread.join()

    def _receive(self) -> None:
        with suppress(ConnectionClosed):
            for text in self._socket:
                frame = json.loads(text)
                self._frames.setdefault(frame["id"], frame)
