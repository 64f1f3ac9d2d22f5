"""Runs ``python -m local`` with its own state folder."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from local.paths import ROOT, StateDir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


READY_SECONDS = 180.0


@contextmanager
def start_lock() -> Iterator[None]:
    """Start a platform while no other test worker starts one.

    Each takes the default ports if they are free, but binds them seconds later: two that start at
    the same time would choose the same.
    """
    file = Path(tempfile.gettempdir(), f"cloudphone-tests-{os.getuid()}.lock")
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class LocalPlatform:
    """One state folder, and the commands that use it."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.state = StateDir(folder)
        self.output = folder.with_name(f"{folder.name}.out")
        self._runs: list[subprocess.Popen[bytes]] = []
        self.variables = {
            **{k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "RABBITMQ_URL"}},
            **variables,
            "CLOUDPHONE_STATE_DIR": str(folder),
        }

    @property
    def supervisor(self) -> subprocess.Popen[bytes]:
        return self._runs[-1]

    def command(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a command and return its result."""
        return subprocess.run(
            [sys.executable, "-m", "local", name],
            cwd=ROOT,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self) -> subprocess.Popen[bytes]:
        """Start ``run`` in a new process group, like a shell."""
        with self.output.open("wb") as output:
            run = subprocess.Popen(
                [sys.executable, "-m", "local", "run"],
                cwd=ROOT,
                env=self.variables,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._runs.append(run)
        return run

    def run(self) -> dict[str, Any]:
        """Start ``run`` and return the endpoints when it is ready."""
        with start_lock():
            supervisor = self.start()
            wait_for(lambda: self.state.endpoints.exists() or supervisor.poll() is not None)
        assert supervisor.poll() is None, self.printed()
        return self.endpoints()

    def up(self) -> str:
        """Start it in the background and return what ``up`` has printed."""
        with start_lock():
            up = self.command("up")
        assert up.returncode == 0, up.stdout + up.stderr
        return up.stdout

    def press_ctrl_c(self) -> int:
        """Send SIGINT to the process group, like a terminal; return the exit code."""
        os.killpg(self.supervisor.pid, signal.SIGINT)
        return self.supervisor.wait(READY_SECONDS)

    def kill(self) -> None:
        """Send SIGKILL to the supervisor."""
        self.supervisor.kill()
        self.supervisor.wait()

    def endpoints(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.state.endpoints.read_text())
        return content

    def printed(self) -> str:
        return self.output.read_text()

    def processes(self) -> list[psutil.Process]:
        """Return all processes whose working directory is in the state folder."""
        return [p for p in psutil.process_iter() if _works_below(p, self.state.path)]

    def close(self) -> None:
        for run in self._runs:
            run.kill()
            run.wait()
        self.command("down")


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.02)


def _works_below(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except psutil.Error:
        return False
