"""The WebSocket API of the deployed stack on this machine, in front of the deployed handler.

One port of 127.0.0.1 serves the WebSockets, the ``@connections`` API for boto3's
``apigatewaymanagementapi``, and the part of Lambda's API that functions use to invoke each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from local.gateway.server import AsgiServer
from local.lambda_runtime.environment import EnvironmentPool
from local.lambda_runtime.functions import REALTIME, deployed
from local.websocket.api import WebSocketApi
from local.websocket.aws_apis import AsyncInvocations, ManagementApi, SignedOnly

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REALTIME_ENVIRONMENTS: Final = 4
"""Concurrent invocations of the realtime function."""


@dataclass(frozen=True, slots=True)
class WebSocketGateway:
    """The running server and the environments of its function."""

    server: AsgiServer
    pool: EnvironmentPool

    def stop(self) -> None:
        """Close all sockets, which invokes ``$disconnect``, then the function's environments."""
        self.server.stop()
        self.pool.close()


def start_websocket(port: int, environment: Mapping[str, str], log_dir: Path) -> WebSocketGateway:
    """Serve the WebSocket API on 127.0.0.1 and return at once.

    Args:
        port: the port to listen on.
        environment: all environment variables of the functions.
        log_dir: receives the function's logs.

    Raises:
        OSError: the port is taken.
    """
    function = deployed(REALTIME, environment, log_dir)
    pool = EnvironmentPool(function, _REALTIME_ENVIRONMENTS)
    return WebSocketGateway(AsgiServer(websocket_app(function.name, pool), port), pool)


def websocket_app(function_name: str, pool: EnvironmentPool) -> Starlette:
    """Return the application for the port, in front of a function."""
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
