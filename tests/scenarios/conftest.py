"""The whole platform, started like by ``make up``, in its own folder."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.paths import ROOT, STATE_VARIABLE, StateDir
from tests.support import starting
from tests.support.folders import server_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def local_platform() -> Iterator[StateDir]:
    with server_folder() as folder:
        yield from _running(StateDir(folder / "state"))


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
