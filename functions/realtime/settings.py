"""What the function reads from its environment."""

from __future__ import annotations

from pydantic import Field

from scheduler.settings import DatabaseSettings, TicketSettings


class RealtimeSettings(DatabaseSettings, TicketSettings):
    """Database for what was missed, tables of tickets and connections, the way to the clients."""

    realtime_connections_table: str
    websocket_endpoint: str = Field(pattern=r"^https?://")
