"""One valid sample of each event type, about the demo data."""

from __future__ import annotations

from typing import Any, Final

from events.bodies import FULLEST
from events.table.message import Sample, delivery, sample


def _valid(event_type: str, meaning: str, **body: Any) -> Sample:  # noqa: ANN401 - any JSON
    """Return a sample whose body is the fullest one with the given fields instead."""
    name = event_type.replace(".", "-").replace("_", "-")
    return sample(name, meaning, delivery(event_type, FULLEST[event_type] | body))


# No body has a `timestamp`, so that each happens when it is received: an event touches only
# allocations older than itself, and a date written here would be older than all of them.
VALID: Final = (
    _valid(
        "device.failed",
        "A device broke: its allocation is released with this reason.",
        deviceId="device-001",
    ),
    _valid(
        "device.deleted",
        "A device is gone for good: its allocations are released.",
        deviceId="device-002",
        userId="user-123",
    ),
    _valid(
        "device.status_changed",
        "A running device went into error: released.",
        deviceId="device-003",
        newStatus="error",
    ),
    _valid(
        "device.maintenance",
        "A device is serviced for half an hour: released.",
        deviceId="device-004",
    ),
    _valid(
        "device.created",
        "A new device joins the pool.",
        deviceId="device-021",
        name="Cloud phone 21",
    ),
    _valid(
        "user.deleted",
        "An account is closed for good: all released, contact data erased.",
        userId="user-456",
    ),
    _valid(
        "user.suspended",
        "An account is suspended: all released, no new allocation until it is activated.",
        userId="user-123",
    ),
    _valid(
        "user.quota_updated",
        "The quota shrinks from 8 to 5 devices: of eight the oldest three are released.",
        userId="user-123",
    ),
    _valid(
        "user.quota_exceeded",
        "More devices in use than allowed: the oldest are released until one is left.",
        userId="user-123",
        current=3,
    ),
    _valid(
        "user.activated",
        "A suspended account may allocate again.",
        userId="user-123",
    ),
    _valid(
        "billing.payment_failed",
        "A payment failed: counted and the user warned; the third one stops the service.",
        userId="user-123",
    ),
    _valid(
        "billing.balance_low",
        "The balance is low: the user is told.",
        userId="user-123",
    ),
    _valid(
        "billing.overdue",
        "A bill is a week overdue: all released, billing hold.",
        userId="user-123",
    ),
    _valid(
        "billing.payment_success",
        "A payment went through: failures forgotten, billing hold lifted.",
        userId="user-123",
    ),
    _valid(
        "billing.recharged",
        "The balance was topped up: as after a payment.",
        userId="user-123",
    ),
)
