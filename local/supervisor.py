"""Running the platform: one process that starts it, watches it and takes it down."""

from __future__ import annotations

import logging
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from local import endpoints, install, lock, platform
from local.context import Context
from local.errors import LocalError
from local.event_source_mapping.mapping import Batching
from local.given import Given
from local.leftovers import ProcessList
from local.ports import PortPlan
from local.progress import CancelledError

if TYPE_CHECKING:
    from types import FrameType

    from local.paths import StateDir
    from local.progress import Steps
    from local.services import Services

_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_WATCH_SECONDS: Final = 0.5
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(state: StateDir, steps: Steps, window: float, shards: int) -> None:
    """Run the platform until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        state: the folder of this platform.
        steps: shows what is done.
        window: seconds for which mappings collect messages.
        shards: queues per event.

    Raises:
        LocalError: it could not start, or one of its servers ended by itself.
        lock.HeldError: it is running already.
    """
    state.create()
    with lock.hold(state.lock), steps, ExitStack() as stack:
        _listen_to_signals(steps)
        try:
            _serve(state, steps, stack, Batching(window=window), shards)
        except CancelledError:
            steps.say("Stopped before everything was up")


def _serve(
    state: StateDir, steps: Steps, stack: ExitStack, batching: Batching, shards: int
) -> None:
    started = time.monotonic()
    processes = ProcessList(state.processes)
    _clear_away(state, processes, steps)
    # What libraries have to say (pika on every lost connection) would bury our own lines.
    logging.basicConfig(filename=state.logs / "platform.log", format=_LOG_FORMAT, level="INFO")
    given = Given.from_environment()
    given.check()
    install.ensure(given.programs(), steps, state.logs / "apt.log")
    stack.callback(processes.stop_all)
    plan = PortPlan(steps.say)
    context = Context(given, state, plan, processes.add, steps, stack, batching, shards)
    running = platform.start(context)
    steps.say(f"\nCloudPhone Scheduler is ready after {time.monotonic() - started:.1f} s")
    endpoints.show(steps.console, state, running.endpoints)
    # Written after the last line is printed: `up` stops relaying when it sees the file.
    stack.callback(state.endpoints.unlink, missing_ok=True)
    endpoints.write(state.endpoints, running.endpoints)
    _watch(running.services, steps)
    steps.say("Stopping")


def _listen_to_signals(steps: Steps) -> None:
    """Stop at the next step's end; a second Ctrl-C changes nothing, all stopping is bounded."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        steps.cancelled.set()

    for number in _STOP_SIGNALS:
        signal.signal(number, on_signal)


def _clear_away(state: StateDir, processes: ProcessList, steps: Steps) -> None:
    """Remove what a killed supervisor left, and keep the logs of one earlier run."""
    state.endpoints.unlink(missing_ok=True)
    if processes.alive():
        with steps.step("Stopping servers that an earlier run left behind"):
            processes.stop_all()
    state.rotate_logs()


def _watch(services: Services, steps: Steps) -> None:
    while not steps.cancelled.wait(_WATCH_SECONDS):
        if failure := services.failure():
            raise LocalError(failure)
