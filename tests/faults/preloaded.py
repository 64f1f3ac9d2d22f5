"""Execution environments forked from a process that has already imported everything.

They are separate processes and are killed like others. A drill in ``make test`` starts about
seventy of them, and would otherwise spend most of its time importing.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from threading import Lock
from typing import TYPE_CHECKING, Final, cast

from local.lambda_runtime import worker
from local.lambda_runtime.environment import INIT_SECONDS, FunctionError
from tests.faults.invocations import RecordedEnvironment

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path
    from subprocess import Popen

_SERVER: Final = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "pika",
        "boto3",
        "billing_events.rules",
        "device_events.rules",
        "user_events.rules",
        "scheduler.payments.counter",
        "tests.faults.crashing",
    ]
)
# multiprocessing polls all children whenever one starts, which is not thread-safe.
_START_LOCK: Final = Lock()


class PreloadedEnvironment(RecordedEnvironment):
    """An execution environment with a forked process."""

    def _cold_start(self, request_id: str) -> socket.socket:
        self._connection, theirs = socket.socketpair()
        variables = self._function.process_variables(self._log_stream)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        process = _SERVER.Process(
            target=_serve, args=(self._function.handler, variables, self.log_file, theirs)
        )
        with theirs, _START_LOCK:
            process.start()
        self._process = cast("Popen[bytes]", _ForkedProcess(process))
        if self._await_frame(self._connection, INIT_SECONDS, request_id) != worker.READY:
            self._discard()
            raise FunctionError("Runtime.InitError", f"see {self.log_file}")
        return self._connection


class _ForkedProcess:
    """The methods of Popen that an environment uses."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        with _START_LOCK:
            self._process.join()
        return self._process.exitcode or 0


def _serve(
    handler: str, variables: dict[str, str], log_file: Path, connection: socket.socket
) -> None:
    """Run as the process of an execution environment."""
    os.environ.clear()
    os.environ.update(variables)
    with log_file.open("ab") as log:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())
    worker.main(handler, connection.detach())
