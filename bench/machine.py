"""What a run says about the machine, so that figures of a busy one are recognised."""

from __future__ import annotations

import os
import platform
from typing import Final

import psutil

_SECONDS: Final = 2
_BUSY_FROM: Final = 10
"""Percent of the CPU that other processes use."""


def machine() -> dict[str, str | int | float]:
    """Return cores, Python, and the percentage of the CPU that others use; takes two seconds.

    Call it before the servers are started.
    """
    return {
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "busy_percent": psutil.cpu_percent(_SECONDS),
    }


def describe(found: dict[str, str | int | float]) -> str:
    """Return the machine in a line, with a warning if it was busy."""
    busy = float(found["busy_percent"])
    line = f"{found['cores']} cores, Python {found['python']}, {busy:.0f} % busy before the run"
    if busy < _BUSY_FROM:
        return line
    return f"{line}: BUSY MACHINE, only ratios within this run mean something, and those roughly"
