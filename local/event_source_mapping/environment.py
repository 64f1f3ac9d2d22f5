"""A Lambda execution environment: one process, one handler, one invocation at a time.

It behaves as Lambda does (docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html):
cold start at the first invocation, reused afterwards, killed at the function's timeout, replaced
after a crash. It is frozen by nothing and retired by no one.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from local.event_source_mapping.worker import (
    ERROR,
    INVOCATION,
    READY,
    RESULT,
    receive,
    send,
)
from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

PAYLOAD_LIMIT: Final = 6 * 1024 * 1024
"""Bytes of a synchronous invocation's event, and about those of its result (Lambda quotas)."""
INIT_SECONDS: Final = 60.0
"""Lambda allows 10 s; here fifteen cold starts may share two cores."""
# A kill that comes just before the process exists misses it, so it is repeated.
_KILL_INTERVAL: Final = 0.1
_WORKER: Final = Path(__file__).with_name("worker.py")
_IMPORT_ROOTS: Final = (ROOT / "functions", ROOT / "layers" / "scheduler")


class FunctionError(Exception):
    """The invocation failed; names and texts are those of Lambda's error object."""

    def __init__(self, error_type: str, message: str, stack_trace: tuple[str, ...] = ()) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message
        self.stack_trace = stack_trace


class PayloadTooLargeError(Exception):
    """The event is over Lambda's 6 MB; the function was not invoked (HTTP 413 of Invoke)."""


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function: what its execution environments have in common.

    `variables` is the whole of the function's environment: nothing of the developer's own
    environment (AWS credentials, say) reaches the handler.
    """

    name: str
    handler: str
    variables: Mapping[str, str] = field(repr=False)
    log_dir: Path
    timeout_seconds: float
    memory_mb: int = 1024
    import_roots: tuple[Path, ...] = _IMPORT_ROOTS

    def process_variables(self, log_stream: str) -> dict[str, str]:
        """Return the environment of the process: the function's own and what Lambda adds."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "PYTHONUTF8": "1",
            "TZ": "UTC",
            **self.variables,
            "PYTHONPATH": os.pathsep.join(map(str, self.import_roots)),
            "LAMBDA_TASK_ROOT": str(self.import_roots[0]),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "_HANDLER": self.handler,
        }


class LambdaEnvironment:
    """One execution environment of a function, with a log file of its own as its log stream.

    `invoke` serves one caller at a time (a second one waits); `kill` may come from any thread.
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
            PayloadTooLargeError: the event is over 6 MB.
            FunctionError: the handler raised (`errorType` is the exception's class), ran into
                the timeout (`Sandbox.Timedout`), died (`Runtime.ExitError`), could not be
                imported (`Runtime.ImportModuleError`), or returned more than 6 MB.
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
        """End the process at once; a running invocation fails with `Runtime.ExitError`."""
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """End the process and serve nothing more; a running invocation fails."""
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
                start_new_session=True,  # Ctrl-C is for the supervisor, which ends us in order
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
        # A process that died unasked is noticed below, where its exit status is known.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send(connection, header + event)
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
        """Return the worker's next frame; when none comes, bury the process and say why."""
        connection.settimeout(limit)
        try:
            frame = receive(connection)
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
        """Wait for the process to end, forget it, and return its exit status."""
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
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        return self.log_file.open("ab")


def _function_error(frame: bytes) -> FunctionError:
    report: dict[str, Any] = json.loads(frame[len(ERROR) :])
    return FunctionError(report["errorType"], report["errorMessage"], tuple(report["stackTrace"]))
