"""Settings of the housekeeping function."""

from __future__ import annotations

from scheduler.settings import (
    BrakeSettings,
    BrokerSettings,
    DatabaseSettings,
    ErasureSettings,
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
    ErasureSettings,
):
    """Settings of the database, the broker, the pool, the brake, the retention and erasures."""
