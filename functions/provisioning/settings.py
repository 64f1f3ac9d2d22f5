"""What the function reads from its environment."""

from __future__ import annotations

from scheduler.settings import BrokerSettings, DatabaseSettings, ShardSettings


class ProvisioningSettings(DatabaseSettings, BrokerSettings, ShardSettings):
    """An administrator's account of the database, and what the functions log in with."""

    broker_management_url: str
    """Address of RabbitMQ's HTTP API without credentials, for the virtual host's sake."""

    application_user: str
    """Logs in by IAM, unless there is a secret."""

    application_secret_arn: str | None = None
    """Secret ``{"username", "password"}`` of the application."""
