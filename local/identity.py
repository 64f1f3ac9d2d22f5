"""Which process is meant, long after it was noted.

A process id alone may belong to a stranger by now, so start times are compared as well.
"""

from __future__ import annotations

from typing import Final, TypedDict

import psutil

# The start time of a process is known to a hundredth; a clock that is set moves it a little.
_SAME_START: Final = 2.0


class Identity(TypedDict):
    """A process as it is noted in a file: its id and when it started (seconds since 1970)."""

    pid: int
    started: float


def identify(pid: int) -> Identity:
    """Return the identity of a process that runs now."""
    return Identity(pid=pid, started=psutil.Process(pid).create_time())


def find(identity: Identity) -> psutil.Process | None:
    """Return the process if it is still running, else None."""
    try:
        process = psutil.Process(identity["pid"])
        same = abs(process.create_time() - identity["started"]) < _SAME_START
    except psutil.NoSuchProcess:
        return None
    return process if same and is_alive(process) else None


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs; a dead one whose parent has not noticed does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
