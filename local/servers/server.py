"""The base class of the private servers."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from local import LocalError
from local.disk import lack_of_space, require_space
from local.paths import write_private
from local.ports import is_free
from local.processes import SERVER_STOP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from local.servers.process import ServerProcess

_READY_SECONDS: Final = 120.0
"""Generous, for busy machines; a server that cannot start ends sooner."""
_POLL_SECONDS: Final = 0.05

OnSpawn = Callable[[int], None]


class Server(ABC):
    """A server with its own data folder and ports on 127.0.0.1.

    After ``stop`` or ``kill``, ``start`` restarts it on the same ports with the same data.

    Args:
        home: the server's folder; its data is kept there.
        log_dir: receives its log files.
        listens_on: its TCP ports.
        on_spawn: called with the id of each process that was started.
    """

    name: ClassVar[str]

    def __init__(
        self, home: Path, log_dir: Path, listens_on: Sequence[int], on_spawn: OnSpawn
    ) -> None:
        self.home = home
        self._listens_on = listens_on
        self.log_file = log_dir / f"{self.name.lower()}.log"
        self._on_spawn = on_spawn
        self._processes: Sequence[ServerProcess] = ()

    def start(self) -> None:
        """Start the server and return when it accepts requests.

        Raises:
            LocalError: the server is not installed, ended, or was not ready within two minutes,
                a port is in use, or the disk is nearly full.
        """
        for port in self._listens_on:
            if not is_free(port):
                raise LocalError(
                    f"{self.name}: port {port} is in use; stop the program that uses it"
                )
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        require_space(self.home)
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
        """Shut the server down; does nothing when it is not running."""
        for process in reversed(self._processes):
            process.stop(SERVER_STOP_SECONDS)

    def kill(self) -> None:
        """Send SIGKILL; the server flushes nothing and closes no connection."""
        for process in reversed(self._processes):
            process.kill()

    def pids(self) -> list[int]:
        """Return the ids of its processes, in starting order."""
        return [process.pid for process in self._processes]

    def failure(self) -> str | None:
        """Return a one-line message if the server has ended by itself; else None."""
        for process in self._processes:
            if (code := process.exit_code()) is not None:
                program = process.arguments[0].rpartition("/")[2]
                ended = f"{self.name}: {program} ended with code {code}; see {process.log_file}"
                return "; ".join(filter(None, (ended, lack_of_space(self.home))))
        return None

    @abstractmethod
    def _prepare(self) -> Sequence[ServerProcess]:
        """Prepare the home folder; return the processes in starting order."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Return whether the server accepts requests."""

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            if failure := self.failure():
                raise LocalError(failure)
            if time.monotonic() > deadline:
                raise LocalError(
                    f"{self.name} was not ready within {_READY_SECONDS:.0f} s; see {self.log_file}"
                )
            time.sleep(_POLL_SECONDS)


def password(home: Path) -> str:
    """Return the generated password of a server; it is kept as long as the server's data."""
    path = home / "password"
    home.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_private(path, secrets.token_hex(16))
    return path.read_text(encoding="utf-8")
