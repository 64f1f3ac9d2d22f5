"""Finding the programs of the servers on Debian and on macOS (Homebrew)."""

from __future__ import annotations

import os
import shutil
from typing import Final

from local.errors import LocalError

# Debian's /usr/sbin/rabbitmq-server refuses other users than root and rabbitmq and writes to
# /var/log; the script behind it does neither, so its folder comes first.
_FOLDERS: Final = (
    "/usr/lib/rabbitmq/bin",
    "/usr/sbin",
    "/usr/local/sbin",
    *(
        f"{prefix}/{folder}"
        for prefix in ("/opt/homebrew", "/usr/local")
        for folder in (
            "bin",
            "sbin",
            "opt/mariadb/bin",
            "opt/rabbitmq/sbin",
            "opt/erlang/bin",
        )
    ),
)
FIX: Final = (
    "on Debian or Ubuntu: sudo apt-get install mariadb-server rabbitmq-server; "
    "on macOS: brew install mariadb rabbitmq"
)


def find(program: str) -> str | None:
    """Return the path of a server program, or None when it is not installed."""
    path = os.pathsep.join((_FOLDERS[0], os.environ.get("PATH", os.defpath), *_FOLDERS[1:]))
    return shutil.which(program, path=path)


def require(program: str) -> str:
    """Return the path of a server program.

    Raises:
        LocalError: it is not installed; the message says how to install it.
    """
    if found := find(program):
        return found
    raise LocalError(f"{program} is not installed ({FIX})")
