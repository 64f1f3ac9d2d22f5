"""A notification to be sent over one channel, and the result of an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scheduler.domain.trace import NO_TRACE, TraceContext

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.domain.notices import Channel
    from scheduler.notification.preferences import QuietHours


NO_EMAIL_ADDRESS: Final = "no e-mail address known"
NO_PHONE_NUMBER: Final = "no phone number known"
INVALID_PHONE_NUMBER: Final = "the phone number is not in E.164 form"
NOT_CONNECTED: Final = "not connected; it waits in the inbox"
QUIET_HOURS: Final = "quiet hours"
TOO_OLD: Final = "not sent within a day"
SUPERSEDED: Final = "superseded by a newer frame about the device; it waits in the inbox"
OVER_LIMIT: Final = "the hourly limit; it waits for a digest"
IN_DIGEST: Final = "sent in a digest, because of the hourly limit"

_PUBLIC_ERRORS: Final = {
    NO_EMAIL_ADDRESS: "no_address",
    NO_PHONE_NUMBER: "no_address",
    INVALID_PHONE_NUMBER: "invalid_address",
    NOT_CONNECTED: "not_connected",
    QUIET_HOURS: "quiet_hours",
    TOO_OLD: "too_old",
    SUPERSEDED: "superseded",
    OVER_LIMIT: "hourly_limit",
    IN_DIGEST: "in_digest",
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """The recipient; unknown fields are None, ``quiet_hours`` also if none are set."""

    user_id: str
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    quiet_hours: QuietHours | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed delivery with its notification; times in UTC, ``data`` is JSON as stored.

    ``claimed_until`` identifies the claim: a result is recorded only if the claim still holds.
    ``kind`` is the key of the `NoticeKind`, empty for deliveries of the former release;
    ``stands_for`` is the number of deliveries whose digest this is, 1 if it is none.
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
    kind: str = ""
    stands_for: int = 1
    trace: TraceContext = NO_TRACE


class DeliveryOutcome(StrEnum):
    """The outcome of an attempt; the value is its label in metrics."""

    SENT = "sent"
    SKIPPED = "skipped"
    """The recipient has no address on this channel, or is not connected."""
    FAILED = "failed"
    """It is not tried again."""
    RETRIED = "retried"
    """The attempt failed; it is tried again."""
    POSTPONED = "postponed"
    """It was not attempted (quiet hours, throttling) and is tried later."""


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The outcome of a delivery, as it is recorded.

    ``due_at`` is the time of the next attempt if there is one; ``detail`` is the reason and
    contains no addresses. ``digest_id`` is the delivery whose message stands for this one.
    """

    delivery: Delivery
    outcome: DeliveryOutcome
    detail: str = ""
    provider_message_id: str | None = None
    due_at: datetime | None = None
    digest_id: int | None = None


def public_error(detail: str | None) -> str | None:
    """Return the code that users see instead of a stored reason or error.

    What providers answer is for administrators: it may name our account and its settings.

    Args:
        detail: as in `DeliveryResult`; None if there is none.
    """
    return detail and _PUBLIC_ERRORS.get(detail, "not_accepted")
