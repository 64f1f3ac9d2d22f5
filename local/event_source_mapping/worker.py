"""The runtime inside a Lambda execution environment, and the frames it exchanges.

Started by `environment.py`, it imports the handler once, then serves one invocation at a time
over an inherited socket: what the runtime API is to the deployed function
(docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). It runs as a script with `python -P`,
which keeps the names of this folder's modules out of the function's import path; hence it
imports nothing of this package.

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

    Handler = Callable[[Any, "Context"], Any]

LENGTH = struct.Struct(">I")
INVOCATION = struct.Struct(">36sd")
READY, RESULT, ERROR = b"!", b"+", b"-"


@dataclass
class Context:
    """What a handler receives as its second argument (lambda/latest/dg/python-context.html)."""

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
        """Return the ARN under which the local function would be known."""
        region = os.environ.get("AWS_REGION", "us-east-1")
        return f"arn:aws:lambda:{region}:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the environment is killed; never negative."""
        return max(0, int((self.deadline - time.time()) * 1000))


def main(handler_name: str, descriptor: int) -> None:
    """Import the handler, say so, and serve invocations until the parent closes the socket."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    connection = socket.socket(fileno=descriptor)
    try:
        handler = _load(handler_name)
    except BaseException as error:  # noqa: BLE001 - whatever an import does is an init error
        send(connection, _failure(error, ""))
        sys.exit(1)
    send(connection, READY)
    while frame := receive(connection):
        response = _serve(handler, frame)
        sys.stdout.flush()
        send(connection, response)


def _serve(handler: Handler, frame: bytes) -> bytes:
    request_id, deadline = INVOCATION.unpack_from(frame)
    context = Context(request_id.decode("ascii"), deadline)
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
    """An error of the runtime itself; its type is a name of Lambda's, not a Python class."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def _failure(error: BaseException, request_id: str) -> bytes:
    """Write the error to the log and return it as Lambda's error object, as a frame."""
    error_type = (
        error.error_type if isinstance(error, _RuntimeFailureError) else type(error).__name__
    )
    trace = traceback.format_exception(error)
    print(f"[ERROR] {error_type}: {error}\n{''.join(trace)}", flush=True)
    report = {
        "errorMessage": str(error),
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }
    return ERROR + json.dumps(report).encode()


def send(connection: socket.socket, payload: bytes) -> None:
    """Write one frame; the socket's timeout, if any, is for all of it."""
    connection.sendall(LENGTH.pack(len(payload)) + payload)


def receive(connection: socket.socket) -> bytes:
    """Return the next frame; empty when the other side is gone."""
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
