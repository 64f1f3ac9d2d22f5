"""What the function reads from its environment."""

from __future__ import annotations

from scheduler.settings import (
    AllocationSettings,
    BrokerSettings,
    DatabaseSettings,
    PaymentSettings,
    TicketSettings,
    WaitingSettings,
)


class ApiSettings(
    DatabaseSettings,
    BrokerSettings,
    PaymentSettings,
    AllocationSettings,
    WaitingSettings,
    TicketSettings,
):
    """Database, pool rules, tickets; payments to show the count, broker to say if it is there."""
