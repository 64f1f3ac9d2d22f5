"""What the function reads from its environment."""

from __future__ import annotations

from scheduler.settings import (
    BrokerSettings,
    DatabaseSettings,
    QuotaSettings,
    RetentionSettings,
    ShardSettings,
)


class HousekeepingSettings(
    DatabaseSettings, BrokerSettings, ShardSettings, QuotaSettings, RetentionSettings
):
    """Database, broker and its queues, and how long things are kept."""
