"""Whether a delivery that is due is really to be sent now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.outbox.delivery import Delivery, Fate, Result
from scheduler.outbox.trouble import TOO_LATE

if TYPE_CHECKING:
    from datetime import datetime


def hold(delivery: Delivery, now: datetime) -> Result | None:
    """Return what becomes of a delivery that is not to be sent now; None if it is."""
    if now - delivery.created_at > TOO_LATE:
        return Result(delivery, Fate.FAILED, "not sent within a day")
    quiet_until = _quiet_until(delivery, now)
    if quiet_until:
        return Result(delivery, Fate.POSTPONED, "quiet hours", due_at=quiet_until)
    return None


def _quiet_until(delivery: Delivery, now: datetime) -> datetime | None:
    quiet = delivery.recipient.quiet_hours
    if quiet is None or delivery.urgent or not delivery.channel.intrusive:
        return None
    return quiet.end_after(now)
