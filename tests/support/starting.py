"""Lets the tests of all workers start one platform at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def alone() -> Iterator[None]:
    """Start a platform while no other one starts.

    Each takes the usual ports if they are free, and binds them seconds later: two that start side
    by side would choose the same.
    """
    file = Path(tempfile.gettempdir(), f"cloudphone-tests-{os.getuid()}.lock")
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
