"""Describes the machine of a run, so that figures of a busy machine are recognised."""

from __future__ import annotations

import os
import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

Machine: TypeAlias = dict[str, str | int | float]

_SECONDS: Final = 2
_BUSY_FROM: Final = 10
"""Percent of the CPU that other processes use."""
_AFTER: Final = "busy_percent_after"


@contextmanager
def watched() -> Iterator[Machine]:
    """Print how busy the machine is before and after the block, within which the servers run.

    Each measurement takes two seconds. The machine is yielded; the second measurement is added to
    it after the block.
    """
    found: Machine = {
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "busy_percent": psutil.cpu_percent(_SECONDS),
    }
    print(describe(found), flush=True)
    yield found
    found[_AFTER] = psutil.cpu_percent(_SECONDS)
    print(describe(found), flush=True)


def describe(found: Machine) -> str:
    """Return the machine in a line, with a warning if it was busy."""
    busy = [float(found["busy_percent"])]
    line = f"{found['cores']} cores, Python {found['python']}, {busy[0]:.0f} % busy before the run"
    if _AFTER in found:
        busy.append(float(found[_AFTER]))
        line += f", {busy[1]:.0f} % after it"
    if max(busy) < _BUSY_FROM:
        return line
    return f"{line}: BUSY MACHINE, only ratios within this run mean something, and those roughly"
