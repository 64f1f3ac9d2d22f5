"""Where the repository is and where the local platform keeps what it writes."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
STATE_VARIABLE: Final = "CLOUDPHONE_STATE_DIR"


@dataclass(frozen=True, slots=True)
class StateDir:
    """The folder of one local platform, ``.local/`` in the repository unless told otherwise."""

    path: Path

    @classmethod
    def default(cls) -> StateDir:
        """Return the folder named by ``CLOUDPHONE_STATE_DIR``, else ``.local/``."""
        return cls(Path(os.environ.get(STATE_VARIABLE) or ROOT / ".local").resolve())

    @property
    def endpoints(self) -> Path:
        """Return the file of addresses and tokens; it exists while the platform is ready."""
        return self.path / "endpoints.json"

    @property
    def lock(self) -> Path:
        """Return the file that the running supervisor keeps locked; it holds the process id."""
        return self.path / "supervisor.lock"

    @property
    def processes(self) -> Path:
        """Return the list of server processes that a killed supervisor leaves behind."""
        return self.path / "processes.json"

    @property
    def logs(self) -> Path:
        """Return the folder of the logs of the present (or last) run."""
        return self.path / "log"

    @property
    def output(self) -> Path:
        """Return what a supervisor in the background prints."""
        return self.path / "supervisor.log"

    def rotate_logs(self) -> None:
        """Begin an empty log folder and keep the one before as ``log.previous``."""
        previous = self.path / "log.previous"
        shutil.rmtree(previous, ignore_errors=True)
        if self.logs.exists():
            self.logs.rename(previous)
        self.logs.mkdir()

    def create(self) -> None:
        """Make the folder; server accounts may pass through it, only its owner may list it."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711)
