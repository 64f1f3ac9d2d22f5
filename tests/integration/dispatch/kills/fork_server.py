"""A process that imports everything once and forks dispatchers.

For each line from stdin it forks a dispatcher and writes its process id to stdout. A dispatcher
works until it is killed; when stdin is closed, the last one is.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

import boto3

from notification_dispatch.app import make_dispatcher
from scheduler.deadline import Deadline
from scheduler.settings import DispatchSettings

INVOCATION_SECONDS = 1.0
MAX_SEND_SECONDS = 2.0
"""The providers of the drill respond in milliseconds."""


def work() -> None:
    """Dispatch until killed."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(quiet, stream)
    running = make_dispatcher(DispatchSettings.from_environment(), MAX_SEND_SECONDS)
    while True:
        running.run(Deadline(time.monotonic() + INVOCATION_SECONDS))
        time.sleep(0.01)


def main() -> None:
    """Fork a dispatcher for every line from stdin."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies: exit codes are not needed
    for service in ("dynamodb", "apigatewaymanagementapi", "sesv2", "sns"):
        boto3.client(service)  # load the service models before forking
    pids = []
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            work()
        pids.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in pids[-1:]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
