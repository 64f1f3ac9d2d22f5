"""The environment variables of the function."""

from __future__ import annotations

from scheduler.settings import (
    BrokerSettings,
    DatabaseSettings,
    PaymentSettings,
    QuotaSettings,
    ShardSettings,
)


class OperationsSettings(
    DatabaseSettings, BrokerSettings, ShardSettings, QuotaSettings, PaymentSettings
):
    """The accounts of the operators' function at database and broker."""

    broker_management_url: str | None = None
    """URL of RabbitMQ's HTTP API without credentials, for rates and messages in work."""
