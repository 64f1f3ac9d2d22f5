"""What the function reads from its environment."""

from __future__ import annotations

from scheduler.settings import (
    AllocationSettings,
    BrokerSettings,
    DatabaseSettings,
    PaymentSettings,
)


class ApiSettings(DatabaseSettings, BrokerSettings, PaymentSettings, AllocationSettings):
    """Database, pool rules; broker only to say whether it is there, payments to show the count."""
