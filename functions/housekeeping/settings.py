"""What the function reads from its environment."""

from __future__ import annotations

from scheduler.settings import (
    BrakeSettings,
    BrokerSettings,
    DatabaseSettings,
    PoolSettings,
    QuotaSettings,
    RetentionSettings,
    ShardSettings,
)


class HousekeepingSettings(
    BrakeSettings,
    DatabaseSettings,
    BrokerSettings,
    ShardSettings,
    PoolSettings,
    QuotaSettings,
    RetentionSettings,
):
    """Database, broker and its queues, and how long things are kept."""
