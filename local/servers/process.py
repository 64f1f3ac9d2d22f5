"""One operating system process: started, watched, stopped by its id."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(slots=True)
class Process:
    """A child process whose output goes to a log file."""

    arguments: Sequence[str]
    log_file: Path
    folder: Path
    account: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the process."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
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
                # Ctrl-C at the terminal is for the supervisor, which stops servers in order.
                start_new_session=True,
            )

    def run(self) -> int:
        """Start the process, wait for its end and return its exit code."""
        self.start()
        return self._child.wait() if self._child else 0

    @property
    def pid(self) -> int:
        """Return the id of the process, 0 when it was never started."""
        return self._child.pid if self._child else 0

    def exit_code(self) -> int | None:
        """Return None while the process runs, else its exit code (negative: the signal)."""
        return self._child.poll() if self._child else 0

    def stop(self, grace: float) -> None:
        """Ask the process to end, and kill it when it has not after ``grace`` seconds."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process at once, as a power failure would."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()


def _inherited() -> dict[str, str]:
    # Nothing else of the caller's environment (AWS profiles, Erlang flags) reaches a server.
    names = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}
