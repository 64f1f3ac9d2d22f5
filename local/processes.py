"""The processes of a state folder: its supervisor and the server processes it started.

Processes are recorded in files by id and start time: the operating system reuses ids, so an id
alone may belong to another process by the time the file is read.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypedDict

import psutil

from local.paths import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER_STOP_SECONDS: Final = 20.0
"""How long a server may take to shut down before it is killed."""

_POLL_SECONDS: Final = 0.05
# The kernel reports start times in hundredths of a second; setting the clock shifts them a little.
_START_TIME_TOLERANCE: Final = 2.0


class ProcessIdentity(TypedDict):
    """A process as recorded in a file: its id and its start time (Unix time in seconds)."""

    pid: int
    started: float


class AlreadyRunningError(Exception):
    """Another supervisor uses this state folder."""


@contextmanager
def supervisor_lock(path: Path) -> Iterator[None]:
    """Hold the lock during the block, as the only supervisor; it ends with the process.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    # Opened for appending: the holder's identity must stay in the file until the lock is held.
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError from None
        file.truncate(0)
        json.dump(_identity_of(os.getpid()), file)
        file.flush()
        yield
        file.truncate(0)


def running_supervisor(path: Path) -> psutil.Process | None:
    """Return the process that holds the lock, or None."""
    try:
        return _find(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


class ProcessList:
    """The server processes of a state folder, recorded so that a later run can stop them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def add(self, pid: int) -> None:
        """Record a process that was just started."""
        with self._lock:
            write_private(self._path, json.dumps([*self._recorded(), _identity_of(pid)]))

    def alive(self) -> list[psutil.Process]:
        """Return the recorded processes that still run, the latest first."""
        found = (_find(identity) for identity in reversed(self._recorded()))
        return [process for process in found if process]

    def stop_all(self) -> None:
        """Stop the processes that still run and delete the list."""
        for process in self.alive():
            stop(process, SERVER_STOP_SECONDS)
        self._path.unlink(missing_ok=True)

    def _recorded(self) -> list[ProcessIdentity]:
        if not self._path.exists():
            return []
        recorded: list[ProcessIdentity] = json.loads(self._path.read_text(encoding="utf-8"))
        return recorded


def stop(process: psutil.Process, grace: float) -> None:
    """Send SIGTERM, and SIGKILL if the process still runs after ``grace`` seconds."""
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        if not _ended(process, grace):
            process.kill()
            _ended(process, grace)


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _identity_of(pid: int) -> ProcessIdentity:
    return ProcessIdentity(pid=pid, started=psutil.Process(pid).create_time())


def _find(identity: ProcessIdentity) -> psutil.Process | None:
    """Return the process if it still runs, else None."""
    try:
        process = psutil.Process(identity["pid"])
        same = abs(process.create_time() - identity["started"]) < _START_TIME_TOLERANCE
    except psutil.NoSuchProcess:
        return None
    return process if same and is_alive(process) else None


def _ended(process: psutil.Process, seconds: float) -> bool:
    # Not psutil's wait: it waits for zombies too, and the init process of a container may never
    # reap the zombies it inherits.
    deadline = time.monotonic() + seconds
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return not is_alive(process)
