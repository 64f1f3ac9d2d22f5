"""Restarts servers that end by themselves, and makes outages on request.

A developer who kills a server, or asks for an outage, sees what a production platform does: the
functions wait or park their messages, and processing continues when the server is back.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from local import LocalError
from local.paths import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from local.servers.server import Server

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_STEADY_SECONDS: Final = 60.0
"""A server that ends sooner after its start is in a crash loop: the pauses go on growing."""


class Outage(NamedTuple):
    """A request to keep a server down until a time (seconds since the epoch)."""

    server: str
    until: float

    @classmethod
    def read(cls, path: Path) -> Outage | None:
        """Return the request in a file; None if there is none."""
        try:
            return cls(*json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def write(self, path: Path) -> None:
        """Request the outage of the running platform."""
        write_private(path, json.dumps(self))


@dataclass(slots=True)
class Restarts:
    """Watches the private servers of a platform.

    Attributes:
        prepare: called with a server that was started again, before the platform goes on.
        requests: the file in which an outage is requested; see `Outage`.
        report: prints a line.
        clock: returns the time in seconds since the epoch.
    """

    servers: Sequence[Server]
    prepare: Callable[[Server], object]
    requests: Path
    report: Callable[[str], object]
    clock: Callable[[], float] = time.time
    _pauses: dict[str, float] = field(default_factory=dict, init=False)
    _not_before: dict[str, float] = field(default_factory=dict, init=False)
    _steady_at: dict[str, float] = field(default_factory=dict, init=False)

    def check(self) -> None:
        """Start an outage that is requested, and restart the servers that have ended."""
        outage = Outage.read(self.requests)
        for server in self.servers:
            if outage and server.name == outage.server:
                self._begin(outage, server)
            if not server.failure():
                self._forget_pause(server)
            elif self.clock() >= self._not_before.get(server.name, 0):
                self._restart(server)

    def _begin(self, outage: Outage, server: Server) -> None:
        self.requests.unlink(missing_ok=True)
        self._not_before[server.name] = outage.until
        seconds = outage.until - self.clock()
        self.report(f"{server.name} is stopped for {seconds:.0f} s, as requested")
        server.kill()

    def _forget_pause(self, server: Server) -> None:
        if self.clock() >= self._steady_at.get(server.name, 0):
            self._pauses.pop(server.name, None)

    def _restart(self, server: Server) -> None:
        self.report(f"{server.failure()}; starting it again")
        server.kill()  # what is left of its processes
        pause = self._pauses.get(server.name, _FIRST_PAUSE_SECONDS)
        try:
            server.start()
            self.prepare(server)
        except LocalError as error:
            self.report(f"{error}; next attempt in {pause:.0f} s")
        else:
            again = pause > _FIRST_PAUSE_SECONDS
            hint = f"; if it ends soon, next attempt in {pause:.0f} s" if again else ""
            self.report(f"{server.name} runs again{hint}")
        self._pauses[server.name] = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        self._not_before[server.name] = self.clock() + pause
        self._steady_at[server.name] = self.clock() + _STEADY_SECONDS
