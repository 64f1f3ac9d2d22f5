"""Starts the platform in the background, finds it and stops it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from local import LocalError, endpoints
from local.paths import ROOT, STATE_VARIABLE, open_log
from local.processes import AlreadyRunningError, ProcessList, running_supervisor, stop

if TYPE_CHECKING:
    from typing import TextIO

    from local.paths import StateDir
    from local.progress import ProgressDisplay

_PLATFORM_STOP_SECONDS: Final = 90.0
"""Enough for running invocations to end or time out, and for the servers to stop."""

_POLL_SECONDS: Final = 0.1


def up(state: StateDir, display: ProgressDisplay) -> None:
    """Start a supervisor in the background and return when the platform is ready.

    Raises:
        LocalError: the supervisor ended before the platform was ready.
        AlreadyRunningError: a supervisor is running already.
    """
    state.create()
    if running_supervisor(state.lock):
        raise AlreadyRunningError
    state.endpoints.unlink(missing_ok=True)
    state.output.unlink(missing_ok=True)
    with open_log(state.output) as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "local", "run"],
            cwd=ROOT,
            env={**os.environ, STATE_VARIABLE: str(state.path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        with display.console.status("Starting in the background"), state.output.open() as output:
            _relay_until_ready(supervisor, output, state, display)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise


def down(state: StateDir, display: ProgressDisplay) -> None:
    """Stop the supervisor, and the servers that a killed supervisor left running."""
    supervisor = running_supervisor(state.lock)
    processes = ProcessList(state.processes)
    with display:
        if supervisor:
            with display.cleanup_step("Stopping the platform"):
                stop(supervisor, _PLATFORM_STOP_SECONDS)
        if processes.alive():
            with display.cleanup_step("Stopping servers of an earlier run"):
                processes.stop_all()
        elif not supervisor:
            display.print_line("Nothing was running")
        state.endpoints.unlink(missing_ok=True)


def clean(state: StateDir, display: ProgressDisplay) -> None:
    """Delete the state folder with all data.

    Raises:
        LocalError: the platform is running, or the folder is not a state folder.
    """
    if running_supervisor(state.lock):
        raise LocalError("the platform is running; stop it first: make down")
    if not state.path.exists():
        return
    if not state.lock.exists():
        raise LocalError(
            f"{state.path} was not created by the local platform; delete it yourself,"
            f" or set {STATE_VARIABLE} to another folder"
        )
    down(state, display)
    shutil.rmtree(state.path)


def print_status(state: StateDir, display: ProgressDisplay) -> None:
    """Print whether the platform is ready or still starting, and its addresses."""
    supervisor = running_supervisor(state.lock)
    pid = supervisor.pid if supervisor else "unknown"
    if found := endpoints.read(state.endpoints):
        display.print_line(f"CloudPhone Scheduler is running (process {pid}); make down stops it")
        endpoints.show(display.console, state, found)
    else:
        display.print_line(f"CloudPhone Scheduler is starting or stopping (process {pid})")


def _relay_until_ready(
    supervisor: subprocess.Popen[bytes], output: TextIO, state: StateDir, display: ProgressDisplay
) -> None:
    ready = False
    while not ready:
        code = supervisor.poll()
        ready = state.endpoints.exists()
        for line in output.read().splitlines():
            display.print_line(line)
        if code is not None and not ready:
            raise LocalError(f"the platform ended before it was ready; see {state.output}")
        time.sleep(_POLL_SECONDS)
