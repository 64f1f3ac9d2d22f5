"""Lambda handler of the WebSocket API."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any, Final

import boto3
from botocore.config import Config

from realtime.catch_up import CatchUp
from realtime.channel import Channel
from realtime.gate import Gate
from realtime.opening import Later, Opening
from realtime.settings import RealtimeSettings
from scheduler.database.connection import Database
from scheduler.realtime.connections import Connections
from scheduler.realtime.tickets import Tickets

# A client waits for its handshake meanwhile.
_PATIENCE: Final = Config(
    connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3}
)

_settings = RealtimeSettings.from_environment()
_dynamodb = boto3.client("dynamodb", config=_PATIENCE)
_connections = Connections(_dynamodb, _settings.realtime_connections_table)
_channel = Channel(
    boto3.client(
        "apigatewaymanagementapi", config=_PATIENCE, endpoint_url=_settings.websocket_endpoint
    )
)
_catch_up = CatchUp(Database(_settings), _connections, _channel)
_gate = Gate(
    Tickets(_dynamodb, _settings.realtime_tickets_table),
    _connections,
    _catch_up,
    _channel,
    Later(boto3.client("lambda", config=_PATIENCE), os.environ["AWS_LAMBDA_FUNCTION_NAME"]),
    lambda: datetime.now(UTC),
)


def handler(event: dict[str, Any], _context: object) -> dict[str, int] | None:
    """Answer an event of the WebSocket API, or see to a connection that opens."""
    if "requestContext" in event:
        return _gate.handle(event)
    opening = Opening.model_validate(event)
    _catch_up.opening(opening.connection_id, opening.since)
    return None
