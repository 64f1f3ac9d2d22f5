"""What the function reads from its environment."""

from __future__ import annotations

from scheduler.settings import BrokerSettings, DatabaseSettings, QuotaSettings, RetentionSettings


class HousekeepingSettings(DatabaseSettings, BrokerSettings, QuotaSettings, RetentionSettings):
    """Database and broker, and how long things are kept."""
