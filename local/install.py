"""Makes sure that the programs are there that pip does not install."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from local.errors import LocalError
from local.servers import binaries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from local.progress import Steps

# RUNLEVEL=1 tells Debian's package scripts not to start a service (runlevel(8) believes it).
# Where systemd runs, a package may start one all the same: on its own ports, and not ours to stop.
_APT_ENVIRONMENT: Final = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}


def ensure(programs: Iterable[str], steps: Steps, log_file: Path) -> None:
    """Find the programs; on Debian, as root, install what is missing.

    Args:
        programs: names that ``binaries`` knows.
        steps: shows the installation.
        log_file: receives the output of apt-get.

    Raises:
        LocalError: something is missing and could not be installed; says what and how.
    """
    missing = sorted(name for name in programs if binaries.find(name) is None)
    if not missing:
        return
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        raise LocalError(f"not installed: {', '.join(missing)} ({binaries.fix(missing)})")
    packages = [package.debian for package in binaries.packages(missing)]
    with steps.step(f"Installing {' and '.join(packages)}") as tell:
        _run([apt, "update"], log_file, tell)
        _run([apt, "install", "--yes", "--no-install-recommends", *packages], log_file, tell)


def _run(command: list[str], log_file: Path, tell: Callable[[str], None]) -> None:
    progress, progress_end = os.pipe()
    with log_file.open("ab") as log:
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
            tell(_readable(line))
    if apt.wait() != 0:
        raise LocalError(f"{' '.join(command)} failed, see {log_file}")


def _readable(line: str) -> str:
    """Turn apt's ``pmstatus:package:percent:text`` into words (apt's README.progress-reporting)."""
    _kind, _package, percent, text = (line.rstrip("\n").split(":", 3) + [""] * 3)[:4]
    return f"{percent.partition('.')[0]} % {text}"
