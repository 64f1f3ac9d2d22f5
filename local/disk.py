"""Says how much of a disk is free, where its lack is why something failed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from local import LocalError

if TYPE_CHECKING:
    from pathlib import Path

NEEDED: Final = 200 << 20
"""Bytes that the data of a new platform takes."""


def require_space(folder: Path) -> None:
    """Check that a folder's disk has room for the data of a server.

    Raises:
        LocalError: it has not; the message says how much is free.
    """
    if problem := lack_of_space(folder):
        raise LocalError(problem)


def lack_of_space(folder: Path) -> str | None:
    """Return that the disk of a folder is nearly full, and what to do; None if it is not."""
    free = shutil.disk_usage(folder).free
    if free >= NEEDED:
        return None
    return (
        f"the disk of {folder} is nearly full: {free >> 20} MiB are free, {NEEDED >> 20} are"
        " needed; delete something, or set CLOUDPHONE_STATE_DIR to a folder on another disk"
    )
