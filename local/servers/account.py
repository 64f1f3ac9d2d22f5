"""The operating system account a server runs as."""

from __future__ import annotations

import os
import pwd
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def account_for(name: str, folder: Path) -> str | None:
    """Return the account to switch to, or None to stay who we are.

    Root starts a server as its package's account (``mysql``, ``rabbitmq``), provided that this
    account exists and can reach the folder; a checkout below ``/root`` it cannot reach.
    """
    if os.geteuid() != 0 or not _exists(name):
        return None
    passable = all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.resolve().parents)
    return name if passable else None


def give(folder: Path, account: str | None) -> None:
    """Make the account (or, for None, ourselves) the owner of a folder and all it holds."""
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
