"""The WebSocket API of the deployed stack on one machine: real sockets, the deployed handler.

On one port of 127.0.0.1: the sockets themselves, the ``@connections`` management API for boto3's
``apigatewaymanagementapi``, and as much of Lambda's own API as a function needs to invoke itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from local.event_source_mapping.functions import REALTIME, deployed
from local.gateway.pool import EnvironmentPool
from local.gateway.server import AsgiServer
from local.websocket.api import WebSocketApi
from local.websocket.invocations import AsyncInvocations
from local.websocket.management import ManagementApi
from local.websocket.signed import SignedOnly

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

POOL_SIZE: Final = 4


@dataclass(frozen=True, slots=True)
class WebSocketGateway:
    """The running server."""

    server: AsgiServer
    pool: EnvironmentPool

    def stop(self) -> None:
        """Close all sockets, tell the function, and end its environments."""
        self.server.stop()
        self.pool.close()


def start_websocket(port: int, environment: Mapping[str, str], log_dir: Path) -> WebSocketGateway:
    """Serve the WebSocket API on 127.0.0.1 and return at once.

    Args:
        port: where to listen.
        environment: all environment variables of the functions.
        log_dir: receives the function's logs.

    Raises:
        OSError: the port is taken.
    """
    function = deployed(REALTIME, environment, log_dir)
    pool = EnvironmentPool(function, POOL_SIZE)
    return WebSocketGateway(AsgiServer(websocket_app(function.name, pool), port), pool)


def websocket_app(function_name: str, pool: EnvironmentPool) -> Starlette:
    """Return the application of the port, in front of a function."""
    api = WebSocketApi(pool)
    management = ManagementApi(api.connections)
    invocations = AsyncInvocations({function_name: pool})
    return Starlette(
        routes=[
            WebSocketRoute("/{path:path}", api.serve),
            Route("/@connections/{connection_id}", management.post, methods=["POST"]),
            Route("/@connections/{connection_id}", management.get, methods=["GET"]),
            Route("/@connections/{connection_id}", management.delete, methods=["DELETE"]),
            Route("/2015-03-31/functions/{name}/invocations", invocations.accept, methods=["POST"]),
        ],
        middleware=[Middleware(SignedOnly)],
    )
