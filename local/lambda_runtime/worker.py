"""The runtime inside a Lambda execution environment, and the frames it exchanges.

`environment.py` starts it. It imports the handler once, then serves one invocation at a time over
an inherited socket, which replaces Lambda's runtime API
(docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). It runs as a script with `python -P`, so
that the function cannot import this folder's modules by accident; therefore it imports nothing
from this package.

Every frame is a length and that many bytes. To the worker: request id, deadline (Unix time) and
the event. From the worker: `READY` once, then per invocation `RESULT` or `ERROR` and JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import struct
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[Any, "LambdaContext"], Any]

LENGTH = struct.Struct(">I")
INVOCATION = struct.Struct(">36sd")
READY, RESULT, ERROR = b"!", b"+", b"-"


@dataclass
class LambdaContext:
    """A handler's second argument (lambda/latest/dg/python-context.html)."""

    aws_request_id: str
    deadline: float
    function_name: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    function_version: str = "$LATEST"
    memory_limit_in_mb: str = field(
        default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
    )
    log_group_name: str = field(
        default_factory=lambda: f"/aws/lambda/{os.environ['AWS_LAMBDA_FUNCTION_NAME']}"
    )
    log_stream_name: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_LOG_STREAM_NAME"])
    identity: None = None
    client_context: None = None

    @property
    def invoked_function_arn(self) -> str:
        """Return the ARN of the local function."""
        region = os.environ.get("AWS_REGION", "us-east-1")
        return f"arn:aws:lambda:{region}:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the timeout; never negative."""
        return max(0, int((self.deadline - time.time()) * 1000))


def main(handler_name: str, descriptor: int) -> None:
    """Import the handler, send `READY`, and serve invocations until the socket is closed."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # nobody has replaced it
    connection = socket.socket(fileno=descriptor)
    try:
        handler = _load(handler_name)
    except BaseException as error:  # noqa: BLE001 - any exception of an import is an init error
        send_frame(connection, _failure(error, ""))
        sys.exit(1)
    send_frame(connection, READY)
    while frame := receive_frame(connection):
        response = _serve(handler, frame)
        sys.stdout.flush()
        send_frame(connection, response)


def _serve(handler: Handler, frame: bytes) -> bytes:
    request_id, deadline = INVOCATION.unpack_from(frame)
    context = LambdaContext(request_id.decode("ascii"), deadline)
    try:
        result = handler(json.loads(frame[INVOCATION.size :]), context)
    except Exception as error:  # noqa: BLE001 - reported to the caller, as Lambda does
        return _failure(error, context.aws_request_id)
    try:
        return RESULT + json.dumps(result, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return _failure(
            _RuntimeFailureError("Runtime.MarshalError", message), context.aws_request_id
        )


def _load(handler_name: str) -> Handler:
    module_name, _, attribute = handler_name.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise _RuntimeFailureError("Runtime.ImportModuleError", message) from error
    if not hasattr(module, attribute):
        message = f"Handler '{attribute}' missing on module '{module_name}'"
        raise _RuntimeFailureError("Runtime.HandlerNotFound", message)
    handler: Handler = getattr(module, attribute)
    return handler


class _RuntimeFailureError(Exception):
    """An error of the runtime itself, with Lambda's name for its type."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def _failure(error: BaseException, request_id: str) -> bytes:
    """Log the error and return it as a frame with Lambda's error object."""
    error_type = (
        error.error_type if isinstance(error, _RuntimeFailureError) else type(error).__name__
    )
    trace = traceback.format_exception(error)
    print(_printable(f"[ERROR] {error_type}: {error}\n{''.join(trace)}"), flush=True)
    report = {
        "errorMessage": str(error),
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }
    return ERROR + json.dumps(report).encode()


def _printable(text: str) -> str:
    """Escape what acts on a terminal that shows the log; an error may quote a message."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in text
    )


def send_frame(connection: socket.socket, payload: bytes) -> None:
    """Send one frame; the socket's timeout, if any, applies to the whole frame."""
    connection.sendall(LENGTH.pack(len(payload)) + payload)


def receive_frame(connection: socket.socket) -> bytes:
    """Return the next frame; empty when the other side has closed the socket."""
    header = _read(connection, LENGTH.size)
    return _read(connection, LENGTH.unpack(header)[0]) if header else b""


def _read(connection: socket.socket, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        count = connection.recv_into(view)
        if not count:
            return b""
        view = view[count:]
    return bytes(buffer)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
