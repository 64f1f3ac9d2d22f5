"""What the private servers have in common."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from local.errors import LocalError
from local.files import write_private
from local.ports import is_free

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from local.servers.process import Process

READY_SECONDS: Final = 120.0
"""Long, for machines busy with other things; a server that cannot start ends at once."""
STOP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.05

OnSpawn = Callable[[int], None]


class Server(ABC):
    """A server with its own data folder and ports on 127.0.0.1.

    ``start`` after ``stop`` or ``kill`` brings it back on the same ports with the same data.

    Args:
        home: the server's folder; its data survives there.
        log_dir: where its log files go.
        listens_on: its TCP ports.
        on_spawn: told the id of each process as soon as it exists.
    """

    name: ClassVar[str]

    def __init__(
        self, home: Path, log_dir: Path, listens_on: Sequence[int], on_spawn: OnSpawn
    ) -> None:
        self.home = home
        self._listens_on = listens_on
        self.log_file = log_dir / f"{self.name.lower()}.log"
        self._on_spawn = on_spawn
        self._processes: Sequence[Process] = ()

    def start(self) -> None:
        """Start the server and return when it serves.

        Raises:
            LocalError: it is not installed, a port is taken, it ended, or it was not ready
                within two minutes.
        """
        for port in self._listens_on:
            if not is_free(port):
                raise LocalError(f"{self.name}: port {port} is taken by another program")
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        self._processes = self._prepare()
        try:
            for process in self._processes:
                process.start()
                self._on_spawn(process.pid)
            self._wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down in order; harmless when it is not running."""
        for process in reversed(self._processes):
            process.stop(STOP_SECONDS)

    def kill(self) -> None:
        """End the server with SIGKILL; nothing is flushed or said goodbye to."""
        for process in reversed(self._processes):
            process.kill()

    def pids(self) -> list[int]:
        """Return the ids of the processes, in their starting order."""
        return [process.pid for process in self._processes]

    def failure(self) -> str | None:
        """Return what happened, in one line, when the server ended by itself; else None."""
        for process in self._processes:
            if (code := process.exit_code()) is not None:
                program = process.arguments[0].rpartition("/")[2]
                return f"{self.name}: {program} ended with code {code}, see {process.log_file}"
        return None

    @abstractmethod
    def _prepare(self) -> Sequence[Process]:
        """Lay out the home folder; return the processes in their starting order."""

    @abstractmethod
    def _serves(self) -> bool:
        """Tell whether the server answers a real request."""

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._serves():
            if failure := self.failure():
                raise LocalError(failure)
            if time.monotonic() > deadline:
                raise LocalError(f"{self.name} was not ready in time, see {self.log_file}")
            time.sleep(_POLL_SECONDS)


def password(home: Path) -> str:
    """Return the generated password of a server, the same one for the life of its data."""
    path = home / "password"
    home.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_private(path, secrets.token_hex(16))
    return path.read_text(encoding="utf-8")
