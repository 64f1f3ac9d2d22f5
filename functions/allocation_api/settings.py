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
