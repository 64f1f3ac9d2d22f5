"""A notification on its way over one channel, and what can become of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.domain.notices import Channel
    from scheduler.notification.quiet_hours import QuietHours


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom it is for, as far as known; ``quiet_hours`` only if the user set some."""

    user_id: str
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    quiet_hours: QuietHours | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed delivery with its notification; times in UTC, ``data`` is JSON as stored.

    ``claimed_until`` names the claim: a result is recorded only under the claim it was sent under.
    """

    id: int
    channel: Channel
    attempts: int
    claimed_until: datetime
    notification_id: str
    type: str
    title: str
    message: str
    data: str
    created_at: datetime
    urgent: bool
    recipient: Recipient


class Fate(StrEnum):
    """What became of a delivery; the value is its label in metrics."""

    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"
    RETRIED = "retried"
    """It failed and is tried again."""
    POSTPONED = "postponed"
    """It was not tried, for a reason that passes: quiet hours, a provider that wants a pause."""


@dataclass(frozen=True, slots=True)
class Result:
    """The end of an attempt.

    ``due_at`` is when to try again, for those that go on; ``detail`` is why, free of addresses.
    """

    delivery: Delivery
    fate: Fate
    detail: str = ""
    provider_message_id: str | None = None
    due_at: datetime | None = None
