"""The whole platform, started like by ``make up``, in its own folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.paths import ROOT, STATE_VARIABLE, StateDir
from tests.support import starting

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def local_platform() -> Iterator[StateDir]:
    # Not below pytest's folder, because the accounts of the servers cannot enter that.
    with tempfile.TemporaryDirectory(prefix="cloudphone-") as folder:
        Path(folder).chmod(0o711)
        yield from _running(StateDir(Path(folder) / "state"))


def _running(state: StateDir) -> Iterator[StateDir]:
    environment = {**os.environ, STATE_VARIABLE: str(state.path)}

    def local(command: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "local", command], cwd=ROOT, env=environment, check=True
        )

    with starting.alone():
        local("up")
    try:
        yield state
    finally:
        local("down")
