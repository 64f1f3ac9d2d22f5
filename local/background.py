"""The platform in the background: start it, find it, stop it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from local import endpoints, leftovers, lock
from local.errors import LocalError
from local.paths import ROOT, STATE_VARIABLE

if TYPE_CHECKING:
    from typing import TextIO

    from local.paths import StateDir
    from local.progress import Steps

STOP_SECONDS: Final = 90.0
"""For a whole platform: invocations under way end or time out, then the servers stop."""

_POLL_SECONDS: Final = 0.1


def up(state: StateDir, steps: Steps) -> None:
    """Start a supervisor in the background and return when everything is ready.

    Raises:
        LocalError: it ended before it was ready.
        lock.HeldError: it is running already.
    """
    state.create()
    if lock.holder(state.lock):
        raise lock.HeldError
    state.endpoints.unlink(missing_ok=True)
    with state.output.open("w", encoding="utf-8") as output:
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
        with steps.console.status("Starting in the background"), state.output.open() as output:
            _relay_until_ready(supervisor, output, state, steps)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise


def down(state: StateDir, steps: Steps) -> None:
    """Stop the supervisor, and servers that a killed one left behind."""
    supervisor = lock.holder(state.lock)
    processes = leftovers.ProcessList(state.processes)
    with steps:
        if supervisor:
            with steps.undo("Stopping the platform"):
                leftovers.stop(supervisor, STOP_SECONDS)
        if processes.alive():
            with steps.undo("Stopping servers that an earlier run left behind"):
                processes.stop_all()
        elif not supervisor:
            steps.say("Nothing was running")
        state.endpoints.unlink(missing_ok=True)


def clean(state: StateDir, steps: Steps) -> None:
    """Delete the state folder with all data.

    Raises:
        LocalError: the platform is running, or the folder is not a state folder.
    """
    if lock.holder(state.lock):
        raise LocalError("the platform is running; stop it first: make down")
    if not state.path.exists():
        return
    if not state.lock.exists():
        raise LocalError(f"{state.path} was not made by this program; nothing deleted")
    down(state, steps)
    shutil.rmtree(state.path)


def tell_running(state: StateDir, steps: Steps) -> None:
    """Say that the platform is up, or about to be, and where."""
    supervisor = lock.holder(state.lock)
    pid = supervisor.pid if supervisor else "unknown"
    if found := endpoints.read(state.endpoints):
        steps.say(f"CloudPhone Scheduler is running (process {pid}); make down stops it")
        endpoints.show(steps.console, state, found)
    else:
        steps.say(f"CloudPhone Scheduler is starting or stopping (process {pid})")


def _relay_until_ready(
    supervisor: subprocess.Popen[bytes], output: TextIO, state: StateDir, steps: Steps
) -> None:
    ready = False
    while not ready:
        code = supervisor.poll()
        ready = state.endpoints.exists()
        for line in output.read().splitlines():
            steps.say(line)
        if code is not None and not ready:
            raise LocalError(f"it ended before it was ready, see {state.output}")
        time.sleep(_POLL_SECONDS)
