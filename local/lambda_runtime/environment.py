"""Lambda execution environments: one process, one handler, one invocation at a time.

They behave as in Lambda (docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html):
an environment starts cold at its first invocation, is reused afterwards, killed at the function's
timeout and replaced after a crash. Unlike Lambda's it is never frozen and never retired.
"""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from local.lambda_runtime.worker import (
    ERROR,
    INVOCATION,
    READY,
    RESULT,
    receive_frame,
    send_frame,
)
from local.paths import open_log

if TYPE_CHECKING:
    from local.lambda_runtime.functions import Function

PAYLOAD_LIMIT: Final = 6 * 1024 * 1024
"""Bytes of a synchronous invocation's event, and about those of its result (Lambda quotas)."""
INIT_SECONDS: Final = 60.0
"""Lambda allows 10 s; here all cold starts may share two cores."""
# Repeated, because a kill just before the process exists has no effect.
_KILL_INTERVAL: Final = 0.1
_WORKER: Final = Path(__file__).with_name("worker.py")


class FunctionError(Exception):
    """An invocation failed; types and messages are those of Lambda's error object."""

    def __init__(self, error_type: str, message: str, stack_trace: tuple[str, ...] = ()) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message
        self.stack_trace = stack_trace


class PayloadTooLargeError(Exception):
    """The event exceeds 6 MB, so the function was not invoked (Lambda's Invoke returns 413)."""


class LambdaEnvironment:
    """One execution environment of a function; its log file is its log stream.

    `invoke` serves one caller at a time, others wait. `kill` may be called from any thread.
    """

    def __init__(self, function: Function, log_stream: str) -> None:
        self._function = function
        self._log_stream = log_stream
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._closed = False

    @property
    def log_file(self) -> Path:
        """Return the file that receives what the function writes to stdout and stderr."""
        return self._function.log_dir / f"{self._log_stream}.log"

    def invoke(self, event: bytes) -> bytes:
        """Run the handler with a JSON event and return its JSON result.

        Raises:
            PayloadTooLargeError: the event exceeds 6 MB.
            FunctionError: the handler raised an exception (`error_type` is its class), timed out
                (`Sandbox.Timedout`), exited (`Runtime.ExitError`), could not be imported
                (`Runtime.ImportModuleError`), or returned more than 6 MB
                (`Function.ResponseSizeTooLarge`).
        """
        if len(event) > PAYLOAD_LIMIT:
            raise PayloadTooLargeError(f"{len(event)} bytes exceed {PAYLOAD_LIMIT}")
        request_id = str(uuid.uuid4())
        with self._turn:
            if self._closed:
                raise FunctionError("Runtime.ExitError", "the environment is closed")
            connection = self._connection or self._cold_start(request_id)
            return self._run(connection, event, request_id)

    def kill(self) -> None:
        """Kill the process; a running invocation fails with `Runtime.ExitError`."""
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """Kill the process and start no other; running and later invocations fail."""
        self._closed = True
        while not self._turn.acquire(timeout=_KILL_INTERVAL):
            self.kill()
        self.kill()
        self._discard()
        self._turn.release()

    def _cold_start(self, request_id: str) -> socket.socket:
        self._connection, theirs = socket.socketpair()
        with theirs, self._open_log() as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", str(_WORKER)),
                    *(self._function.handler, str(theirs.fileno())),
                ],
                env=self._function.process_variables(self._log_stream),
                cwd=self._function.import_roots[0],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must reach the supervisor only
            )
        frame = self._await_frame(self._connection, INIT_SECONDS, request_id)
        if frame != READY:
            self._discard()
            raise _function_error(frame)
        return self._connection

    def _run(self, connection: socket.socket, event: bytes, request_id: str) -> bytes:
        limit = self._function.timeout_seconds
        header = INVOCATION.pack(request_id.encode("ascii"), time.time() + limit)
        connection.settimeout(limit)
        # If the process has died, `_await_frame` reports it with its exit status.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send_frame(connection, header + event)
        frame = self._await_frame(connection, limit, request_id)
        if frame[:1] != RESULT:
            raise _function_error(frame)
        if len(frame) > PAYLOAD_LIMIT:
            raise FunctionError(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size "
                f"({PAYLOAD_LIMIT} bytes).",
            )
        return frame[1:]

    def _await_frame(self, connection: socket.socket, limit: float, request_id: str) -> bytes:
        """Return the worker's next frame; if none arrives, discard the process and raise."""
        connection.settimeout(limit)
        try:
            frame = receive_frame(connection)
        except TimeoutError:
            self.kill()
            self._discard()
            raise self._logged(
                "Sandbox.Timedout",
                f"RequestId: {request_id} Error: Task timed out after {limit:.2f} seconds",
            ) from None
        except ConnectionResetError:
            frame = b""
        if not frame:
            status = self._discard()
            cause = (
                f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
            )
            raise self._logged(
                "Runtime.ExitError",
                f"RequestId: {request_id} Error: Runtime exited with error: {cause}",
            )
        return frame

    def _discard(self) -> int:
        """Wait for the process to end, drop it and return its exit status."""
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        return process.wait() if process is not None else 0

    def _logged(self, error_type: str, message: str) -> FunctionError:
        with self._open_log() as log:
            log.write(f"[ERROR] {error_type}: {message}\n".encode())
        return FunctionError(error_type, message)

    def _open_log(self) -> BinaryIO:
        return open_log(self.log_file)


class EnvironmentPool:
    """Runs up to `size` invocations at once, each in its own environment.

    Environments start cold when first needed; the one used last is used next. When all of them
    are busy a request waits, where Lambda would start another environment.
    """

    def __init__(self, function: Function, size: int) -> None:
        self._environments = [
            LambdaEnvironment(function, f"{function.name}-{number}")
            for number in range(1, size + 1)
        ]
        self._idle: queue.LifoQueue[LambdaEnvironment] = queue.LifoQueue()
        for environment in reversed(self._environments):
            self._idle.put(environment)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=function.name)

    def submit(self, event: bytes) -> Future[bytes]:
        """Invoke the function; the future holds its result or the error that `invoke` raises."""
        return self._threads.submit(self._invoke, event)

    def close(self) -> None:
        """Close all environments; running invocations fail."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for environment in self._environments:
            environment.close()
        self._threads.shutdown()

    def _invoke(self, event: bytes) -> bytes:
        environment = self._idle.get()
        try:
            return environment.invoke(event)
        finally:
            self._idle.put(environment)


def _function_error(frame: bytes) -> FunctionError:
    report: dict[str, Any] = json.loads(frame[len(ERROR) :])
    return FunctionError(report["errorType"], report["errorMessage"], tuple(report["stackTrace"]))
