"""Finding the programs that are not Python's, on Debian and on macOS (Homebrew)."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterable

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


@dataclass(frozen=True, slots=True)
class Package:
    """What brings a program."""

    debian: str
    homebrew: str


_MARIADB: Final = Package("mariadb-server", "mariadb")
_RABBITMQ: Final = Package("rabbitmq-server", "rabbitmq")
SERVERS: Final = {
    "mariadbd": _MARIADB,
    "mariadb-install-db": _MARIADB,
    "rabbitmq-server": _RABBITMQ,
    "epmd": _RABBITMQ,
}
BROWSER: Final = {"chromium": Package("chromium", "chromium")}
"""Only the tests of the console page need it."""
_PROGRAMS: Final = SERVERS | BROWSER


def packages(programs: Iterable[str]) -> list[Package]:
    """Return the packages that bring these programs."""
    found = {_PROGRAMS[program] for program in programs}
    return sorted(found, key=lambda package: package.debian)


def fix(programs: Iterable[str]) -> str:
    """Return the words that tell a person how to install these programs."""
    needed = packages(programs)
    debian = " ".join(package.debian for package in needed)
    homebrew = " ".join(package.homebrew for package in needed)
    return f"on Debian or Ubuntu: sudo apt-get install {debian}; on macOS: brew install {homebrew}"


def find(program: str) -> str | None:
    """Return the path of a program, or None when it is not installed."""
    path = os.pathsep.join((_FOLDERS[0], os.environ.get("PATH", os.defpath), *_FOLDERS[1:]))
    return shutil.which(program, path=path)


def require(program: str) -> str:
    """Return the path of a program.

    Raises:
        LocalError: it is not installed; the message says how to install it.
    """
    if found := find(program):
        return found
    raise LocalError(f"{program} is not installed ({fix([program])})")
