"""The AWS APIs on the WebSocket's port: ``@connections``, and Lambda's asynchronous Invoke.

docs.aws.amazon.com/apigateway/latest/developerguide/
apigateway-how-to-call-websocket-api-connections.html,
docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from local.gateway.server import MAX_WEBSOCKET_MESSAGE_BYTES
from local.lambda_runtime.environment import FunctionError, PayloadTooLargeError
from local.websocket.connection import ClosedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from local.lambda_runtime.environment import EnvironmentPool
    from local.websocket.connection import Connection

_log = logging.getLogger(__name__)

_GONE: Final = (410, "GoneException")
_TOO_LARGE: Final = (413, "PayloadTooLargeException")
_INVOCATION_TYPE: Final = "Event"
_RETRY_DELAYS: Final = (60.0, 120.0)
_SIGNATURE_PREFIX: Final = "AWS4-HMAC-SHA256 "


class ManagementApi:
    """Sends to, describes and closes open connections, for boto3's client."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._connections = connections

    async def post(self, request: Request) -> Response:
        """Send the request's body as one message: as text if it is UTF-8, else as binary."""
        connection = self._find(request)
        if connection is None:
            return _aws_error(*_GONE)
        body = await request.body()
        if len(body) > MAX_WEBSOCKET_MESSAGE_BYTES:
            return _aws_error(*_TOO_LARGE)
        try:
            await connection.send(_frame(body))
        except ClosedError:
            return _aws_error(*_GONE)
        return Response()

    async def get(self, request: Request) -> Response:
        """Describe a connection."""
        connection = self._find(request)
        if connection is None:
            return _aws_error(*_GONE)
        peer = connection.peer
        return JSONResponse(
            {
                "connectedAt": peer.connected_at.isoformat(),
                "identity": {"sourceIp": peer.source_ip, "userAgent": peer.user_agent},
                "lastActiveAt": connection.last_active.isoformat(),
            }
        )

    async def delete(self, request: Request) -> Response:
        """Close a connection."""
        connection = self._find(request)
        if connection is None:
            return _aws_error(*_GONE)
        await connection.close()
        return Response(status_code=204)

    def _find(self, request: Request) -> Connection | None:
        return self._connections.get(request.path_params["connection_id"])


class AsyncInvocations:
    """Accepts events for functions, by function name, and invokes them in the background.

    A function that fails is retried after one minute and again after two. Waiting retries are
    lost when the platform stops, unlike in Lambda.
    """

    def __init__(
        self,
        functions: Mapping[str, EnvironmentPool],
        retry_delays: tuple[float, ...] = _RETRY_DELAYS,
    ) -> None:
        self._functions = functions
        self._retry_delays = retry_delays
        self._running: set[asyncio.Task[None]] = set()

    async def accept(self, request: Request) -> Response:
        """Accept an event and return at once."""
        name = request.path_params["name"]
        if name not in self._functions:
            return _aws_error(404, "ResourceNotFoundException", f"Function not found: {name}")
        if request.headers.get("x-amz-invocation-type") != _INVOCATION_TYPE:
            return _aws_error(
                400, "InvalidParameterValueException", "use InvocationType=Event; no other works"
            )
        task = asyncio.create_task(self._run(name, await request.body()))
        self._running.add(task)  # otherwise the task may be garbage-collected before it ends
        task.add_done_callback(self._running.discard)
        return Response(status_code=202)

    async def _run(self, name: str, event: bytes) -> None:
        for delay in (*self._retry_delays, None):
            try:
                await asyncio.wrap_future(self._functions[name].submit(event))
            except PayloadTooLargeError as error:
                _log.warning("%s: %r", name, error)
                return
            except FunctionError as error:
                _log.warning("%s: %r; next attempt in %s s", name, error, delay)
            else:
                return
            if delay is not None:
                await asyncio.sleep(delay)


class SignedOnly:
    """Answers 403 to HTTP requests that no AWS client made, i.e. those without a signature.

    These APIs control the whole platform, and a website in the developer's browser can send
    requests to this machine. It cannot send an ``Authorization`` header without a CORS preflight,
    which nothing here answers, while every AWS client signs. The signature is not verified.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on signed requests, and WebSockets, whose clients have a ticket."""
        is_http = scope["type"] == "http"
        authorization = Headers(scope=scope).get("authorization", "")
        if is_http and not authorization.startswith(_SIGNATURE_PREFIX):
            refusal = _aws_error(403, "MissingAuthenticationTokenException", "not signed")
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _aws_error(status: int, kind: str, message: str | None = None) -> Response:
    """Return an error of the REST-JSON protocol; ``kind`` is the exception's name in boto3."""
    return JSONResponse({"message": message}, status, {"x-amzn-ErrorType": kind})


def _frame(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body
