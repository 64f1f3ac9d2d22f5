"""The deployed functions, already started, each in its own process as in Lambda."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from local.event_source_mapping.mapping import EventSourceMapping
from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.testbed import Spent, Testbed

_DRAIN_TIMEOUT: Final = 120
"""Seconds, or longer if at the slowest rate more are needed."""
_SLOWEST: Final = 100
"""Messages a second on a busy machine."""


class WarmFunction(LambdaEnvironment):
    """A started execution environment that counts the messages it settles."""

    def __init__(self, service: str, testbed: Testbed) -> None:
        super().__init__(deployed(service, testbed.environment, testbed.logs), service)
        self._stand = testbed
        self._wanted = 0
        self._complete = threading.Event()
        before = set(psutil.Process().children())
        super().invoke(b"{}")
        (self._child,) = set(psutil.Process().children()) - before

    def invoke(self, event: bytes) -> bytes:
        """Run the handler and require that every message succeeds."""
        result = super().invoke(event)
        settled = json.loads(result)
        if set(settled) - {"success"}:
            raise AssertionError(f"not all succeeded: {settled}, see {self.log_file}")
        self._wanted -= settled.get("success", 0)
        if self._wanted <= 0:
            self._complete.set()
        return result

    def run(self, events: Sequence[bytes]) -> Spent:
        """Invoke the handler with each event in order."""
        with self._stand.measured(self._child) as spent:
            for event in events:
                self.invoke(event)
        return spent[0]

    def drain(self, queue: str, count: int) -> Spent:
        """Consume messages of a queue through an event source mapping, as in production.

        The function ends with its mapping.

        Raises:
            TimeoutError: a message keeps failing.
        """
        self._wanted = count
        self._complete.clear()
        mapping = EventSourceMapping(self._stand.rabbitmq.url, queue, self)
        with self._stand.measured(self._child) as spent:
            mapping.start()
            complete = self._complete.wait(max(_DRAIN_TIMEOUT, count / _SLOWEST))
        mapping.stop()
        if not complete:
            raise TimeoutError(f"{self._wanted} messages were not consumed, see {self.log_file}")
        return spent[0]

    @property
    def peak_memory(self) -> int:
        """Return the peak memory of the process in bytes (VmHWM of proc(5))."""
        status = Path(f"/proc/{self._child.pid}/status").read_text(encoding="utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


@contextmanager
def warm(service: str, testbed: Testbed) -> Iterator[WarmFunction]:
    """Start a function for the block."""
    function = WarmFunction(service, testbed)
    try:
        yield function
    finally:
        function.close()
