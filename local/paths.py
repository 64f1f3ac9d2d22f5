"""Where the repository is, and the folder in which the local platform keeps its files."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

ROOT: Final = Path(__file__).resolve().parent.parent
STATE_VARIABLE: Final = "CLOUDPHONE_STATE_DIR"


@dataclass(frozen=True, slots=True)
class StateDir:
    """The folder of one local platform: ``.local/`` unless ``CLOUDPHONE_STATE_DIR`` is set."""

    path: Path

    @classmethod
    def default(cls) -> StateDir:
        """Return the folder named by ``CLOUDPHONE_STATE_DIR``, else ``.local/``."""
        return cls(Path(os.environ.get(STATE_VARIABLE) or ROOT / ".local").resolve())

    @property
    def endpoints(self) -> Path:
        """Return the file with addresses and tokens; it exists while the platform is ready."""
        return self.path / "endpoints.json"

    @property
    def lock(self) -> Path:
        """Return the file that the running supervisor locks; it holds the process id."""
        return self.path / "supervisor.lock"

    @property
    def processes(self) -> Path:
        """Return the list of server processes; it remains when a supervisor is killed."""
        return self.path / "processes.json"

    @property
    def outage(self) -> Path:
        """Return the file in which an outage of a server is requested."""
        return self.path / "outage.json"

    @property
    def logs(self) -> Path:
        """Return the folder with the logs of the current (or last) run."""
        return self.path / "log"

    @property
    def output(self) -> Path:
        """Return the file that receives the output of a supervisor in the background."""
        return self.path / "supervisor.log"

    def rotate_logs(self) -> None:
        """Start an empty log folder and keep the previous one as ``log.previous``."""
        previous = self.path / "log.previous"
        shutil.rmtree(previous, ignore_errors=True)
        if self.logs.exists():
            self.logs.rename(previous)
        self.logs.mkdir()

    def create(self) -> None:
        """Create the folder; server accounts may enter it, only its owner may list it."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, readable by its owner only; readers see the old or new text."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def open_log(path: Path) -> BinaryIO:
    """Open a log file for appending; only its owner and their group may read it.

    Logs contain ids of users and what messages contained.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    log = path.open("ab")
    os.fchmod(log.fileno(), 0o640)
    return log
