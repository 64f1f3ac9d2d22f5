"""A process that gives birth to dispatchers: everything is imported once, each is a fork.

Reads a line from stdin for each dispatcher wanted and writes its process id. A dispatcher works
until it is killed, or until the nursery's stdin is closed.
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

SHIFT = 1.0
LONGEST_SEND = 2.0
"""Seconds; the providers of the drill answer in milliseconds."""


def work() -> None:
    """Dispatch until killed."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(quiet, stream)
    running = make_dispatcher(DispatchSettings.from_environment(), LONGEST_SEND)
    while True:
        running.run(Deadline(time.monotonic() + SHIFT))
        time.sleep(0.01)


def main() -> None:
    """Serve stdin."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they died
    for service in ("dynamodb", "apigatewaymanagementapi", "sesv2", "sns"):
        boto3.client(service)  # warms what forks share
    born = []
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            work()
        born.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in born[-1:]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
