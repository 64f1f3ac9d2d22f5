"""The whole platform, started as ``make up`` starts it, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.paths import ROOT, STATE_VARIABLE, StateDir

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def local_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    state = StateDir(tmp_path_factory.mktemp("platform"))
    environment = {**os.environ, STATE_VARIABLE: str(state.path)}

    def local(command: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "local", command], cwd=ROOT, env=environment, check=True
        )

    local("up")
    try:
        yield json.loads(state.endpoints.read_text("utf-8"))
    finally:
        local("down")
