"""Reports how much disk space is free when something failed for lack of it."""

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
        LocalError: there is too little space; the message says how much is free.
    """
    if problem := lack_of_space(folder):
        raise LocalError(problem)


def lack_of_space(folder: Path) -> str | None:
    """Return a message if the disk of a folder is nearly full; None if it is not."""
    free = shutil.disk_usage(folder).free
    if free >= NEEDED:
        return None
    return (
        f"the disk of {folder} is nearly full: {free >> 20} MiB are free, {NEEDED >> 20} are"
        " needed; delete something, or set CLOUDPHONE_STATE_DIR to a folder on another disk"
    )
