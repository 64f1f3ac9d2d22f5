"""The supervisor: one process that starts the platform, watches its servers and stops it."""

from __future__ import annotations

import logging
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from local import endpoints
from local.event_source_mapping.mapping import Batching
from local.paths import open_log
from local.platform import Startup, prepare_again, start_platform
from local.ports import PortPlan
from local.processes import ProcessList, supervisor_lock
from local.progress import CancelledError
from local.restarts import Restarts
from local.servers.existing import ExistingServers
from local.servers.programs import ensure_installed

if TYPE_CHECKING:
    from types import FrameType

    from local.paths import StateDir
    from local.progress import ProgressDisplay

_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_CHECK_INTERVAL_SECONDS: Final = 0.5
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(state: StateDir, display: ProgressDisplay, window: float, shards: int) -> None:
    """Run the platform until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        state: the folder of this platform.
        display: shows the steps.
        window: the batching window of the event source mappings, in seconds.
        shards: queues per event.

    Raises:
        LocalError: the platform did not start.
        AlreadyRunningError: another supervisor uses the folder.
    """
    state.create()
    with supervisor_lock(state.lock), display, ExitStack() as stack:
        _stop_on_signals(display)
        try:
            _serve(state, display, stack, Batching(window=window), shards)
        except CancelledError:
            display.print_line("Stopped before everything was started")


def _serve(
    state: StateDir, display: ProgressDisplay, stack: ExitStack, batching: Batching, shards: int
) -> None:
    started = time.monotonic()
    processes = ProcessList(state.processes)
    _remove_leftovers(state, processes, display)
    # To a file: the messages of libraries (pika's on every lost connection) would bury our output.
    open_log(state.logs / "platform.log").close()  # with its mode; logging only appends
    logging.basicConfig(filename=state.logs / "platform.log", format=_LOG_FORMAT, level="INFO")
    existing = ExistingServers.from_environment()
    existing.check()
    ensure_installed(existing.required_programs(), display, state.logs / "apt.log")
    stack.callback(processes.stop_all)
    plan = PortPlan(display.print_line)
    platform = start_platform(
        Startup(existing, state, plan, processes.add, display, stack, batching, shards)
    )
    seconds = time.monotonic() - started
    display.print_line(f"\nCloudPhone Scheduler is ready after {seconds:.1f} s")
    endpoints.show(display.console, state, platform.endpoints)
    # Written after the last line is printed: `up` stops relaying output when the file exists.
    stack.callback(state.endpoints.unlink, missing_ok=True)
    endpoints.write(state.endpoints, platform.endpoints)
    restarts = Restarts(platform.servers.private, prepare_again, state.outage, display.print_line)
    while not display.cancelled.wait(_CHECK_INTERVAL_SECONDS):
        restarts.check()
    display.print_line("Stopping")


def _stop_on_signals(display: ProgressDisplay) -> None:
    """Stop at the end of the current step; a second Ctrl-C has no effect."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        display.cancelled.set()

    for number in _STOP_SIGNALS:
        signal.signal(number, on_signal)


def _remove_leftovers(state: StateDir, processes: ProcessList, display: ProgressDisplay) -> None:
    """Clean up after a killed supervisor, and keep the logs of the previous run only."""
    state.endpoints.unlink(missing_ok=True)
    state.outage.unlink(missing_ok=True)
    if processes.alive():
        with display.step("Stopping servers of an earlier run"):
            processes.stop_all()
    state.rotate_logs()
