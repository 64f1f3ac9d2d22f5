"""A server process and the operating system account that it runs as."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.paths import open_log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(slots=True)
class ServerProcess:
    """A child process whose output goes to a log file.

    Attributes:
        account: the account it runs as; None for that of this process.
        environment: variables besides PATH, HOME, LANG and TMPDIR.
    """

    arguments: Sequence[str]
    log_file: Path
    folder: Path
    account: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the process and return at once."""
        with open_log(self.log_file) as log:
            self._child = subprocess.Popen(
                self.arguments,
                cwd=self.folder,
                env={**_inherited(), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.account,
                group=self.account,
                extra_groups=[] if self.account else None,
                # Ctrl-C in the terminal must reach the supervisor only, which stops the servers.
                start_new_session=True,
            )

    def run(self) -> int:
        """Run the process to its end and return its exit code."""
        self.start()
        return self._child.wait() if self._child else 0

    @property
    def pid(self) -> int:
        """Return the process id; 0 before the start."""
        return self._child.pid if self._child else 0

    def exit_code(self) -> int | None:
        """Return None while the process runs, then its exit code (negative for a signal)."""
        return self._child.poll() if self._child else 0

    def stop(self, grace: float) -> None:
        """Send SIGTERM, and SIGKILL if the process still runs after ``grace`` seconds."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()


def account_for(name: str, folder: Path) -> str | None:
    """Return the account that a server should run as; None for that of this process.

    If this process runs as root, a server runs as the account of its package (``mysql``,
    ``rabbitmq``), if that account exists and can reach the folder: below ``/root`` it cannot.
    """
    if os.geteuid() != 0 or not _exists(name):
        return None
    passable = all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.resolve().parents)
    return name if passable else None


def change_owner(folder: Path, account: str | None) -> None:
    """As root, make the account (None: root) the owner of a folder and its contents."""
    if os.geteuid() != 0:
        return
    entry = pwd.getpwnam(account) if account else pwd.getpwuid(0)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _inherited() -> dict[str, str]:
    # Other variables of ours (AWS profiles, Erlang flags) must not affect a server.
    names = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}
