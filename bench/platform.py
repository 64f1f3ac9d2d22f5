"""The local platform for a benchmark: in a folder of its own, gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.paths import ROOT, STATE_VARIABLE, StateDir

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running_platform(window: float) -> Iterator[StateDir]:
    """Run the platform during the block.

    Args:
        window: seconds for which mappings collect messages.
    """
    with tempfile.TemporaryDirectory(prefix="cloudphone-bench-") as folder:
        Path(folder).chmod(0o711)  # the accounts of the servers must pass
        state = StateDir(Path(folder) / "state")
        environment = {
            **os.environ,
            STATE_VARIABLE: str(state.path),
            "CLOUDPHONE_BATCH_WINDOW": f"{window}",
        }

        def local(command: str) -> None:
            arguments = [sys.executable, "-m", "local", command]
            subprocess.run(arguments, cwd=ROOT, env=environment, check=True)  # noqa: S603 - ours

        local("up")
        try:
            yield state
        finally:
            local("down")
