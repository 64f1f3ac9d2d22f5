"""What the processes of a drill write down for the account: deaths and commits.

Every line is appended with one write, so it survives the SIGKILL that follows.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.points import CrashPoint

_DEATHS: Final = "deaths.jsonl"
_COMMITS: Final = "commits.jsonl"


def write_line(path: Path, **fields: object) -> None:
    """Append a line with the time of writing (Unix seconds)."""
    line = json.dumps({"at": time.time(), **fields}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what was written; nothing when nothing was."""
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


class Moment(NamedTuple):
    """When something happened (Unix seconds) in the function of which queue."""

    at: float
    queue: str


class Death(NamedTuple):
    """When the function of which queue was killed, and at which point."""

    at: float
    queue: str
    point: str


class Deaths:
    """The shared list of all kills of the function, never longer than the drill wants."""

    def __init__(self, folder: Path, wanted: int) -> None:
        self._path = folder / _DEATHS
        self._wanted = wanted

    def die(self, queue: str, point: CrashPoint) -> None:
        """Kill this process and leave a line about it; return when there were enough deaths."""
        with self._path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if self.count() < self._wanted:
                write_line(self._path, queue=queue, point=point)
                os.kill(os.getpid(), signal.SIGKILL)

    def count(self) -> int:
        """Return how often the function was killed."""
        return len(self.all())

    def all(self) -> list[Death]:
        """Return the kills, in order."""
        return [Death(**line) for line in read_lines(self._path)]


class Commits:
    """When the function committed the work of a batch."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _COMMITS

    def note(self, queue: str) -> None:
        """Write down a commit of a queue's function that has just been confirmed."""
        write_line(self._path, queue=queue)

    def all(self) -> list[Moment]:
        """Return when which queue's function committed, in order."""
        return [Moment(line["at"], line["queue"]) for line in read_lines(self._path)]
