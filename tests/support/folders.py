"""Folders for the data of servers."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - each folder in it has an unpredictable name
_ENOUGH_BYTES: Final = 4 << 30


@contextmanager
def server_folder() -> Iterator[Path]:
    """Make a folder for servers, and remove it afterwards.

    It is in memory where there is enough: data must survive SIGKILL, not a power failure, and
    there fsync takes no time. It is not below pytest's folder, which only its owner may enter:
    the servers run under accounts of their own.
    """
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ENOUGH_BYTES
    place = _MEMORY if in_memory else None
    with tempfile.TemporaryDirectory(prefix="cloudphone-", dir=place) as path:
        folder = Path(path)
        folder.chmod(0o711)
        yield folder
