"""The WebSocket API: $connect accepts or refuses, $default gets messages, $disconnect the end.

docs.aws.amazon.com/apigateway/latest/developerguide/
apigateway-websocket-api-route-keys-connect-disconnect.html
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

from local.lambda_runtime.environment import FunctionError, PayloadTooLargeError
from local.websocket.connection import ClosedError, Connection
from local.websocket.events import Peer, connect_event, disconnect_event, message_event, new_id

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from local.lambda_runtime.environment import EnvironmentPool

_log = logging.getLogger(__name__)

_FUNCTION_TIMEOUT_SECONDS: Final = 29.0
"""How long API Gateway waits for the function (WebSocket API quota)."""
_SUCCESS: Final = range(200, 300)


class WebSocketApi:
    """Accepts connections and passes their events to the function.

    Attributes:
        connections: the open connections by id. As in AWS, a connection is added when its
            handshake is over; until then sending to it results in 410.
    """

    def __init__(self, pool: EnvironmentPool) -> None:
        self.connections: dict[str, Connection] = {}
        self._pool = pool

    async def serve(self, socket: WebSocket) -> None:
        """Handle a connection from its handshake to its end."""
        peer = _peer(socket)
        query = socket.query_params.multi_items()
        status = _status(await self._invoke(connect_event(peer, socket.headers.items(), query)))
        if status not in _SUCCESS:
            await socket.send_denial_response(_refusal(peer, status))
            return
        connection = Connection(peer, socket)
        try:
            await connection.open()
            self.connections[peer.connection_id] = connection
            await self._listen(connection)
        except ClosedError as end:
            closed = end
        finally:
            self.connections.pop(peer.connection_id, None)
        await self._invoke(disconnect_event(peer, closed.code, closed.reason))

    async def _listen(self, connection: Connection) -> None:
        while True:
            message = await connection.receive()
            if await self._invoke(message_event(connection.peer, message)) is None:
                await connection.send(_failure(connection.peer))

    async def _invoke(self, event: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Return the function's result; None when it failed."""
        invocation = asyncio.wrap_future(self._pool.submit(json.dumps(event).encode()))
        try:
            async with asyncio.timeout(_FUNCTION_TIMEOUT_SECONDS):
                return json.loads(await invocation) or {}
        except (FunctionError, PayloadTooLargeError, TimeoutError) as error:
            _log.warning("%s failed: %r", event["requestContext"]["routeKey"], error)
            return None


def _peer(socket: WebSocket) -> Peer:
    return Peer(
        connection_id=new_id(),
        connected_at=datetime.now(UTC),
        source_ip=socket.client.host if socket.client else "",
        user_agent=socket.headers.get("user-agent", ""),
        domain=socket.headers.get("host", "").partition(":")[0],
    )


def _status(result: Any) -> int:  # noqa: ANN401 - any JSON
    match result:
        case {"statusCode": int(status)} if status in set(HTTPStatus):
            return status
    return HTTPStatus.BAD_GATEWAY


def _refusal(peer: Peer, status: int) -> JSONResponse:
    return JSONResponse(_message(peer, HTTPStatus(status).phrase), status)


def _failure(peer: Peer) -> str:
    return json.dumps(_message(peer, "Internal server error"))


def _message(peer: Peer, text: str) -> dict[str, str]:
    return {"message": text, "connectionId": peer.connection_id, "requestId": new_id()}
