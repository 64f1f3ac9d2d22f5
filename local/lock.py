"""At most one supervisor for each state folder."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.identity import find, identify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psutil


class HeldError(Exception):
    """Another process holds the lock."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock during the block. However the process ends, the lock ends with it.

    Raises:
        HeldError: another process has it.
    """
    # Opened for appending: the holder's identity in it must survive until the lock is ours.
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HeldError from None
        file.truncate(0)
        json.dump(identify(os.getpid()), file)
        file.flush()
        yield
        file.truncate(0)


def holder(path: Path) -> psutil.Process | None:
    """Return the process that holds the lock, or None."""
    try:
        return find(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
