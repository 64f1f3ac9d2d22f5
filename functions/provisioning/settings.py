"""The environment variables of the function."""

from __future__ import annotations

from scheduler.settings import BrokerSettings, DatabaseSettings, ShardSettings


class ProvisioningSettings(DatabaseSettings, BrokerSettings, ShardSettings):
    """The administrator's account, and the account to create for the functions."""

    broker_management_url: str
    """URL of RabbitMQ's HTTP API without credentials; it creates the virtual host."""

    consumer_secret_arn: str | None = None
    """Secret ``{"username", "password"}`` of the broker account that consumes."""

    publisher_secret_arn: str | None = None
    """Secret of the broker account that only publishes."""

    operator_secret_arn: str | None = None
    """Secret of the broker account of the operations function."""

    log_groups: str = ""
    """Log groups of a created broker and database, separated by commas."""

    log_retention_days: int = 30

    application_user: str
    """User name; it logs in with IAM unless there is a secret."""

    application_secret_arn: str | None = None
    """Secret ``{"username", "password"}`` of the account."""

    operations_user: str
    """The account of the operations function; it logs in with IAM unless there is a secret."""

    operations_secret_arn: str | None = None
