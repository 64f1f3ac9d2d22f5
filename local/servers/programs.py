"""The programs that pip does not install: found, and on Debian installed when missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local import LocalError
from local.paths import open_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from local.progress import ProgressDisplay

# Debian's /usr/sbin/rabbitmq-server only runs for root and rabbitmq and writes to /var/log; the
# script that it calls does neither, so the folder of that script comes first.
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
# RUNLEVEL=1 keeps Debian's package scripts from starting a service (they ask runlevel(8)). Under
# systemd a package may still start one, on its own ports, which do not matter here.
_APT_ENVIRONMENT: Final = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}


@dataclass(frozen=True, slots=True)
class Package:
    """The names of a package on Debian and on macOS."""

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
# The shell is Chromium without its user interface: a window takes a third of the CPU. Homebrew has
# Chromium only.
BROWSER: Final = {
    "chromium" if sys.platform == "darwin" else "chromium-headless-shell": Package(
        "chromium-headless-shell", "chromium"
    )
}
"""Only the tests of the console page need it."""
_PROGRAMS: Final = SERVERS | BROWSER


def find_program(name: str) -> str | None:
    """Return the path of a program, or None when it is not installed."""
    path = os.pathsep.join((_FOLDERS[0], os.environ.get("PATH", os.defpath), *_FOLDERS[1:]))
    return shutil.which(name, path=path)


def require_program(name: str) -> str:
    """Return the path of a program.

    Raises:
        LocalError: the program is not installed; the message contains the install command.
    """
    if found := find_program(name):
        return found
    raise LocalError(f"{name} is not installed; {_install_command([name])}")


def ensure_installed(programs: Iterable[str], display: ProgressDisplay, log_file: Path) -> None:
    """Install missing programs, if this is Debian and the process runs as root.

    Args:
        programs: keys of `SERVERS` and `BROWSER`.
        display: shows the installation.
        log_file: receives the output of apt-get.

    Raises:
        LocalError: a program is missing and was not installed; the message contains the command.
    """
    missing = sorted(name for name in programs if find_program(name) is None)
    if not missing:
        return
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        raise LocalError(f"not installed: {', '.join(missing)}; {_install_command(missing)}")
    packages = [package.debian for package in _packages(missing)]
    with display.step(f"Installing {' and '.join(packages)}") as show_detail:
        _run([apt, "update"], log_file, show_detail)
        _run([apt, "install", "--yes", "--no-install-recommends", *packages], log_file, show_detail)


def _packages(programs: Iterable[str]) -> list[Package]:
    found = {_PROGRAMS[program] for program in programs}
    return sorted(found, key=lambda package: package.debian)


def _install_command(programs: Iterable[str]) -> str:
    needed = _packages(programs)
    debian = " ".join(package.debian for package in needed)
    homebrew = " ".join(package.homebrew for package in needed)
    return f"on Debian or Ubuntu: sudo apt-get install {debian}; on macOS: brew install {homebrew}"


def _run(command: list[str], log_file: Path, show_detail: Callable[[str], None]) -> None:
    progress, progress_end = os.pipe()
    with open_log(log_file) as log:
        apt = subprocess.Popen(
            [*command, "-o", f"APT::Status-Fd={progress_end}"],
            env={**os.environ, **_APT_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[progress_end],
        )
    os.close(progress_end)
    with os.fdopen(progress, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            show_detail(_readable(line))
    if apt.wait() != 0:
        raise LocalError(f"{' '.join(command)} failed; see {log_file}")


def _readable(line: str) -> str:
    """Format a line of apt's status, ``pmstatus:package:percent:text`` (progress-reporting)."""
    _kind, _package, percent, text = (line.rstrip("\n").split(":", 3) + [""] * 3)[:4]
    return f"{percent.partition('.')[0]} % {text}"
