"""Lambda handler of the WebSocket API."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any, Final

import boto3
from botocore.config import Config
from pydantic import Field

from realtime.connection_client import ConnectionClient
from realtime.handshake import AsyncInvoker, PendingConnection
from realtime.replay import Replay
from realtime.websocket_routes import WebSocketRoutes
from scheduler.database.connection import Database
from scheduler.observability.logger import begin_invocation
from scheduler.realtime.connections import Connections
from scheduler.realtime.tickets import Tickets
from scheduler.settings import DatabaseSettings, TicketSettings

# Short timeouts: the client waits for its handshake.
_AWS_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3}
)


class RealtimeSettings(DatabaseSettings, TicketSettings):
    """The database, the tables of tickets and connections, and API Gateway's management API."""

    realtime_connections_table: str
    websocket_endpoint: str = Field(pattern=r"^https?://")


_settings = RealtimeSettings.from_environment()
_dynamodb = boto3.client("dynamodb", config=_AWS_CONFIG)
_connections = Connections(_dynamodb, _settings.realtime_connections_table)
_client = ConnectionClient(
    boto3.client(
        "apigatewaymanagementapi", config=_AWS_CONFIG, endpoint_url=_settings.websocket_endpoint
    )
)
_replay = Replay(Database(_settings), _connections, _client)
_routes = WebSocketRoutes(
    Tickets(_dynamodb, _settings.realtime_tickets_table),
    _connections,
    _replay,
    _client,
    AsyncInvoker(
        boto3.client("lambda", config=_AWS_CONFIG), os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    ),
    lambda: datetime.now(UTC),
)


def handler(event: dict[str, Any], context: object) -> dict[str, int] | None:
    """Handle an event of the WebSocket API, or this function's own event after ``$connect``."""
    begin_invocation(context)
    if "requestContext" in event:
        return _routes.handle(event)
    pending = PendingConnection.model_validate(event)
    _replay.after_handshake(pending.connection_id, pending.since)
    return None
