"""Processes that are forked from one that has imported everything, instead of started cold.

They are processes of their own all the same, and die like them; a drill of ``make test`` starts
some seventy and would spend most of its time importing.
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
from tests.faults.invocations import WatchedEnvironment

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
# multiprocessing looks after all children whenever one starts, which no two threads may do at once.
_ONE_AT_A_TIME: Final = Lock()


class PreloadedEnvironment(WatchedEnvironment):
    """An execution environment whose process is forked."""

    def _cold_start(self, request_id: str) -> socket.socket:
        self._connection, theirs = socket.socketpair()
        variables = self._function.process_variables(self._log_stream)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        process = _SERVER.Process(
            target=_serve, args=(self._function.handler, variables, self.log_file, theirs)
        )
        with theirs, _ONE_AT_A_TIME:
            process.start()
        self._process = cast("Popen[bytes]", _Forked(process))
        if self._await_frame(self._connection, INIT_SECONDS, request_id) != worker.READY:
            self._discard()
            raise FunctionError("Runtime.InitError", f"see {self.log_file}")
        return self._connection


class _Forked:
    """The part of a Popen that an environment needs."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        with _ONE_AT_A_TIME:
            self._process.join()
        return self._process.exitcode or 0


def _serve(
    handler: str, variables: dict[str, str], log_file: Path, connection: socket.socket
) -> None:
    """Become the process of an execution environment."""
    os.environ.clear()
    os.environ.update(variables)
    with log_file.open("ab") as log:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())
    worker.main(handler, connection.detach())
