"""The environment variables of the functions, read and checked once at cold start.

Each function composes its settings from the parts it needs, so that a variable it does not
use need not be set.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

MAX_SHARDS: Final = 4
"""Queues per event: template.yaml has mappings for as many."""


class Settings(BaseModel):
    """Base of all settings: a field ``database_url`` is the variable ``DATABASE_URL``."""

    model_config = ConfigDict(
        alias_generator=str.upper,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        defer_build=True,  # a function reads one of these classes, and starts without the others
    )

    @classmethod
    def from_environment(cls) -> Self:
        """Read the process's environment.

        Raises:
            pydantic.ValidationError: names each variable that is missing or malformed.
        """
        return cls.model_validate({name: value for name, value in os.environ.items() if value})


class DatabaseAuth(StrEnum):
    """Where the database password comes from."""

    PASSWORD = "password"  # noqa: S105 - names the method, is no password
    SECRET = "secret"  # noqa: S105 - likewise
    IAM = "iam"


class DatabaseSettings(Settings):
    """How to reach MariaDB: ``mysql://user[:password]@host:port/name``."""

    database_url: SecretStr
    database_auth: DatabaseAuth = DatabaseAuth.PASSWORD
    database_secret_arn: str | None = None
    database_ca_file: str | None = None


class BrokerSettings(Settings):
    """How to reach RabbitMQ: ``amqps://[user:password@]host:port/vhost``."""

    broker_url: SecretStr
    broker_secret_arn: str | None = None


class ShardSettings(Settings):
    """How many queues an event has, each with a consumer of its own."""

    shards: int = Field(default=1, ge=1, le=MAX_SHARDS)


class RetrySettings(Settings):
    """How often a failing critical message is tried again."""

    max_retries: int = Field(default=3, ge=0, le=100)


class QuotaSettings(Settings):
    """What a user nobody told us about may hold."""

    default_max_devices: int = Field(default=10, ge=0, le=1_000_000)


class AllocationStrategy(StrEnum):
    """Which of the suitable devices a user gets."""

    RESOURCE_BASED = "resource_based"
    """The smallest one: large devices stay free for those who need them."""

    ROUND_ROBIN = "round_robin"
    """The longest unused one: all wear alike."""

    RANDOM = "random"
    """Any: requests that arrive together do not meet at the same device."""


class PoolSettings(Settings):
    """Which of the free devices is handed out."""

    allocation_strategy: AllocationStrategy = AllocationStrategy.RESOURCE_BASED


class WaitingSettings(PoolSettings):
    """How long somebody waits for a device at most."""

    waiting_minutes: int = Field(default=120, ge=1, le=10_080)


class AllocationSettings(QuotaSettings, PoolSettings):
    """How devices are handed out.

    The default duration is what a request gets that names none; the longest is what an allocation
    lasts in all, however often it is extended.
    """

    default_duration_minutes: int = Field(default=60, ge=1, le=1440)
    max_duration_minutes: int = Field(default=10_080, ge=1440, le=525_600)


class PaymentSettings(Settings):
    """When failed payments stop the service."""

    payment_failures_table: str
    billing_failure_threshold: int = Field(default=3, ge=1, le=1000)
    payment_failure_ttl_days: int = Field(default=7, ge=1, le=365)


class RetentionSettings(Settings):
    """How many days things are kept after they ended.

    Not less than the month in which a message may come again, or a request with its key: the
    notification and the allocation it led to must still be known then.
    """

    allocation_retention_days: int = Field(default=180, ge=31, le=36_500)
    notification_retention_days: int = Field(default=90, ge=31, le=36_500)
    outgoing_retention_days: int = Field(default=30, ge=1, le=36_500)


class DispatchSettings(DatabaseSettings, BrokerSettings):
    """How users are reached.

    ``dispatch_threads`` is how many deliveries of a channel are under way at once.
    """

    realtime_connections_table: str
    websocket_endpoint: str = Field(pattern=r"^https?://")
    email_from: str = Field(pattern=r"^.+@.+$")
    sms_sender_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,11}$")
    dispatch_threads: int = Field(default=8, ge=1, le=64)


class TicketSettings(Settings):
    """Where tickets for the WebSocket are."""

    realtime_tickets_table: str


class BrakeSettings(Settings):
    """When failing devices are too many to be believed (`scheduler.domain.brake`)."""

    mass_failure_share: float = Field(default=0.2, gt=0, le=1)
    mass_failure_devices: int = Field(default=20, ge=1, le=1_000_000)


class ConsumerSettings(DatabaseSettings, BrokerSettings, RetrySettings, QuotaSettings):
    """What every function that consumes events needs."""
