"""What the processes of a drill record for the account: kills, commits, and logged errors.

Every line is appended with one write, so that it survives the SIGKILL that follows.
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

    from tests.faults.crash_points import CrashPoint

_KILLS: Final = "kills.jsonl"
_COMMITS: Final = "commits.jsonl"


def write_line(path: Path, **fields: object) -> None:
    """Append a JSON line with the current time (Unix seconds)."""
    line = json.dumps({"at": time.time(), **fields}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file; none if it does not exist."""
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


class ProgressMoment(NamedTuple):
    """A time (Unix seconds) at which the function of a queue made progress."""

    at: float
    queue: str


class FunctionKill(NamedTuple):
    """A kill of a queue's function: its time (Unix seconds) and crash point."""

    at: float
    queue: str
    point: str


class FunctionKills:
    """The shared list of the function's kills, limited to the number that the drill wants."""

    def __init__(self, folder: Path, wanted: int) -> None:
        self._path = folder / _KILLS
        self._wanted = wanted

    def kill(self, queue: str, point: CrashPoint) -> None:
        """Record a kill and kill this process; return if there were enough kills already."""
        with self._path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if self.count() < self._wanted:
                write_line(self._path, queue=queue, point=point)
                os.kill(os.getpid(), signal.SIGKILL)

    def count(self) -> int:
        """Return the number of kills."""
        return len(self.all())

    def all(self) -> list[FunctionKill]:
        """Return the kills, in order."""
        return [FunctionKill(**line) for line in read_lines(self._path)]


class Commits:
    """The list of the function's commits."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _COMMITS

    def add(self, queue: str) -> None:
        """Record a commit of a queue's function."""
        write_line(self._path, queue=queue)

    def all(self) -> list[ProgressMoment]:
        """Return the commits, in order."""
        return [ProgressMoment(line["at"], line["queue"]) for line in read_lines(self._path)]


def event_key(correlation_id: str) -> str:
    """Return the key of the event whose messages have this correlation id."""
    return correlation_id.partition(".")[0]


def logged_errors(log_dir: Path) -> frozenset[str]:
    """Return the keys of acknowledged messages that were logged as errors with their payload."""
    return frozenset(
        event_key(str(line["correlation_id"]))
        for file in log_dir.glob("*.log")
        for line in _json_lines(file)
        if line.get("outcome") == "error" and line.get("payload")
    )


def _json_lines(file: Path) -> Iterator[dict[str, object]]:
    for text in file.read_text(encoding="utf-8").splitlines():
        # A killed process may leave half a line, a crash of Python a traceback.
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line
