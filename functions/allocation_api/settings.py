"""The function's settings: environment variables, and how long it waits for AWS."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from scheduler.settings import (
    AllocationSettings,
    BrokerSettings,
    DatabaseSettings,
    PaymentSettings,
    TicketSettings,
    WaitingSettings,
)

AWS_TIMEOUTS: Final[dict[str, Any]] = {
    "connect_timeout": 1,
    "read_timeout": 1,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}
"""For botocore's ``Config``, in seconds: two attempts end within five seconds."""


class ApiSettings(
    DatabaseSettings,
    BrokerSettings,
    PaymentSettings,
    AllocationSettings,
    WaitingSettings,
    TicketSettings,
):
    """The variables of the API; those of the broker are used by nudges and the health check."""

    admin_claim: str = Field(default="cognito:groups", min_length=1)
    """The claim of a token that makes its owner an administrator; see `caller.AdminClaim`."""
    admin_value: str = Field(default="cloudphone:admin", min_length=1)

    caller_rate_limit: float = Field(default=10, gt=0, le=10_000)
    """Requests a second of each user, and of each address without a token."""
    caller_burst_limit: int = Field(default=100, ge=1, le=100_000)
    health_rate_limit: float = Field(default=1, gt=0, le=10_000)
    """Health checks a second of each address."""
    creations_per_hour: int = Field(default=300, ge=1, le=1_000_000)
    """Allocations, queued requests, reservations and extensions of each user."""
    allow_unknown_users: bool = True
    """Whether users without a row, which an event or an administrator creates, get the default
    quota."""
