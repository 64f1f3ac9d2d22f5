"""Server processes that outlived their supervisor."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import psutil

from local.files import write_private
from local.identity import Identity, find, identify, is_alive

if TYPE_CHECKING:
    from pathlib import Path

STOP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.05


class ProcessList:
    """The server processes of one state folder, noted as they start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def add(self, pid: int) -> None:
        """Note a process that was just started."""
        with self._lock:
            write_private(self._path, json.dumps([*self._noted(), identify(pid)]))

    def alive(self) -> list[psutil.Process]:
        """Return the noted processes that still run, the latest first."""
        found = (find(identity) for identity in reversed(self._noted()))
        return [process for process in found if process]

    def stop_all(self) -> None:
        """End what still runs, by SIGTERM and then SIGKILL, and forget the list."""
        for process in self.alive():
            stop(process, STOP_SECONDS)
        self._path.unlink(missing_ok=True)

    def _noted(self) -> list[Identity]:
        if not self._path.exists():
            return []
        noted: list[Identity] = json.loads(self._path.read_text(encoding="utf-8"))
        return noted


def stop(process: psutil.Process, grace: float) -> None:
    """Ask a process to end, and kill it when it has not after ``grace`` seconds."""
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        if not _ended(process, grace):
            process.kill()
            _ended(process, grace)


def _ended(process: psutil.Process, seconds: float) -> bool:
    # Not psutil's wait: it waits for a zombie, and the first process of a container may never
    # collect the zombies it inherits.
    deadline = time.monotonic() + seconds
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return not is_alive(process)
