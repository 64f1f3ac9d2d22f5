"""The environment variables of the functions, read and validated once at cold start.

Each function combines the classes it needs, so that variables it does not use need not be set.
A deployment sets them in template.yaml; the defaults serve tests and the local platform.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

_SAM_LOCAL: Final = "AWS_SAM_LOCAL"
"""Set by ``sam local invoke``."""
_UNRESOLVED: Final = "${"
"""``sam local invoke`` leaves references to other stacks as they are: ``${Infrastructure.…}``."""

MAX_SHARDS: Final = 4
"""Queues per event: template.yaml has mappings for as many."""


class Settings(BaseModel):
    """Base of all settings; the field ``database_url`` is the variable ``DATABASE_URL``."""

    model_config = ConfigDict(
        alias_generator=str.upper,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        defer_build=True,  # a function uses one of these classes; building all delays its start
    )

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment of the process; empty variables count as not set.

        Raises:
            pydantic.ValidationError: names each variable that is missing or malformed.
            SystemExit: likewise, in one line, under ``sam local invoke``.
        """
        found = {name: value for name, value in os.environ.items() if value}
        if _SAM_LOCAL not in os.environ:
            return cls.model_validate(found)
        try:
            return cls.model_validate({k: v for k, v in found.items() if _UNRESOLVED not in v})
        except ValidationError as error:
            names = ", ".join(str(one["loc"][0]) for one in error.errors())
            sys.exit(f"no {names}: see events/README.md")


class DatabaseAuth(StrEnum):
    """How the functions log in to the database."""

    PASSWORD = "password"  # noqa: S105 - names the method, is no password
    SECRET = "secret"  # noqa: S105 - as above
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
    """The number of queues per event; each has its own consumer."""

    shards: int = Field(default=1, ge=1, le=MAX_SHARDS)


class RetrySettings(Settings):
    """How often a critical message that fails is tried again."""

    max_retries: int = Field(default=3, ge=0, le=100)


class QuotaSettings(Settings):
    """The quota of users for whom no event has set one."""

    default_max_devices: int = Field(default=10, ge=0, le=1_000_000)


class AllocationStrategy(StrEnum):
    """Which of the suitable devices a user is given."""

    RESOURCE_BASED = "resource_based"
    """The smallest: large devices stay free for users who need them."""

    ROUND_ROBIN = "round_robin"
    """The one that has been unused for longest, so that all are used equally."""

    RANDOM = "random"
    """Any, so that concurrent requests rarely compete for the same device."""


class PoolSettings(Settings):
    """Which of the free devices is allocated."""

    allocation_strategy: AllocationStrategy = AllocationStrategy.RESOURCE_BASED


class WaitingSettings(PoolSettings):
    """How long a user may wait for a device."""

    waiting_minutes: int = Field(default=120, ge=1, le=10_080)


class AllocationSettings(QuotaSettings, PoolSettings):
    """How devices are allocated.

    The default duration applies to requests without one. The maximum limits an allocation's whole
    duration, including its extensions.
    """

    default_duration_minutes: int = Field(default=60, ge=1, le=1440)
    max_duration_minutes: int = Field(default=10_080, ge=1440, le=525_600)


class PaymentSettings(Settings):
    """How many failed payments suspend the service, and how long they count."""

    payment_failures_table: str
    billing_failure_threshold: int = Field(default=3, ge=1, le=100)
    """At most `scheduler.payments.failure.MAX_COUNT`: no more failures are counted."""
    payment_failure_ttl_days: int = Field(default=7, ge=1, le=365)


class RetentionSettings(Settings):
    """How many days rows are kept after they ended.

    Allocations and notifications are kept for at least the month in which a message, or a request
    with its idempotency key, may be repeated.
    """

    allocation_retention_days: int = Field(default=180, ge=31, le=36_500)
    notification_retention_days: int = Field(default=90, ge=31, le=36_500)
    outgoing_retention_days: int = Field(default=30, ge=1, le=36_500)


class DispatchSettings(DatabaseSettings, BrokerSettings):
    """How notifications are sent; ``dispatch_threads`` is the number of threads per channel.

    Above the hourly limits, which hold for each user and kind of notification, a user gets digests.
    """

    realtime_connections_table: str
    websocket_endpoint: str = Field(pattern=r"^https?://")
    email_from: str = Field(pattern=r"^.+@.+$")
    sms_sender_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,11}$")
    dispatch_threads: int = Field(default=8, ge=1, le=64)
    max_emails_per_hour: int = Field(default=10, ge=1, le=10_000)
    max_sms_per_hour: int = Field(default=3, ge=1, le=10_000)


class TicketSettings(Settings):
    """The table of the tickets for the WebSocket API."""

    realtime_tickets_table: str


class ErasureSettings(TicketSettings):
    """Where data of users is stored outside the database."""

    payment_failures_table: str
    realtime_connections_table: str
    websocket_endpoint: str = Field(pattern=r"^https?://")


class BrakeSettings(Settings):
    """The limits of the mass-failure brake (`scheduler.domain.brake`)."""

    mass_failure_share: float = Field(default=0.2, gt=0, le=1)
    mass_failure_devices: int = Field(default=20, ge=1, le=1_000_000)


class ConsumerSettings(DatabaseSettings, BrokerSettings, RetrySettings, QuotaSettings):
    """The settings of every function that consumes events."""
