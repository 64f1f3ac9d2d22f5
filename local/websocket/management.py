"""The ``@connections`` API: sends to, looks up and closes connections, for boto3 unchanged.

docs.aws.amazon.com/apigateway/latest/developerguide/
apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response

from local.gateway.server import MESSAGE_LIMIT
from local.websocket.connection import ClosedError
from local.websocket.errors import aws_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from local.websocket.connection import Connection

_GONE: Final = (410, "GoneException")
_TOO_LARGE: Final = (413, "PayloadTooLargeException")


class ManagementApi:
    """The operations, on the connections that are open."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._connections = connections

    async def post(self, request: Request) -> Response:
        """Send the request's body as one message: as text if it is UTF-8."""
        connection = self._of(request)
        if connection is None:
            return aws_error(*_GONE)
        body = await request.body()
        if len(body) > MESSAGE_LIMIT:
            return aws_error(*_TOO_LARGE)
        try:
            await connection.send(_frame(body))
        except ClosedError:
            return aws_error(*_GONE)
        return Response()

    async def get(self, request: Request) -> Response:
        """Tell about a connection."""
        connection = self._of(request)
        if connection is None:
            return aws_error(*_GONE)
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
        connection = self._of(request)
        if connection is None:
            return aws_error(*_GONE)
        await connection.close()
        return Response(status_code=204)

    def _of(self, request: Request) -> Connection | None:
        return self._connections.get(request.path_params["connection_id"])


def _frame(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body
