"""When a delivery is sent, retried, postponed or given up."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scheduler.aws_errors import ErrorClass
from scheduler.outbox.delivery import (
    QUIET_HOURS,
    TOO_OLD,
    Delivery,
    DeliveryOutcome,
    DeliveryResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

MAX_ATTEMPTS: Final = 6
MAX_AGE: Final = timedelta(hours=24)
"""A notification that could not be sent for this long is no longer worth sending."""

_FIRST_RETRY_DELAY: Final = timedelta(seconds=30)
_MAX_THROTTLE_DELAY: Final = timedelta(seconds=10)


class ProviderError(Exception):
    """A provider did not accept a message; the text contains no addresses."""

    def __init__(self, error_class: ErrorClass, text: str) -> None:
        super().__init__(text)
        self.error_class = error_class


def check_before_sending(delivery: Delivery, now: datetime) -> DeliveryResult | None:
    """Return the result of a delivery that must not be sent now; None if it may be sent."""
    if now - delivery.created_at > MAX_AGE:
        return DeliveryResult(delivery, DeliveryOutcome.FAILED, TOO_OLD)
    if quiet_until := _quiet_until(delivery, now):
        return DeliveryResult(delivery, DeliveryOutcome.POSTPONED, QUIET_HOURS, due_at=quiet_until)
    return None


def _quiet_until(delivery: Delivery, now: datetime) -> datetime | None:
    quiet = delivery.recipient.quiet_hours
    if quiet is None or delivery.urgent or not delivery.channel.intrusive:
        return None
    return quiet.end_after(now)


def outcome_of(
    error: ProviderError, delivery: Delivery, now: datetime, jitter: Callable[[], float]
) -> DeliveryResult:
    """Return the result of a delivery that a provider did not accept.

    Args:
        error: the provider's error.
        delivery: the delivery.
        now: the current time.
        jitter: returns a random number from 0 to 1.
    """
    detail = str(error)
    if error.error_class is ErrorClass.PERMANENT or now - delivery.created_at > MAX_AGE:
        return DeliveryResult(delivery, DeliveryOutcome.FAILED, detail)
    if error.error_class is ErrorClass.THROTTLED:
        due_at = now + _MAX_THROTTLE_DELAY * jitter()
        return DeliveryResult(delivery, DeliveryOutcome.POSTPONED, detail, due_at=due_at)
    failures = delivery.attempts + 1
    if failures >= MAX_ATTEMPTS:
        return DeliveryResult(delivery, DeliveryOutcome.FAILED, detail)
    due_at = now + retry_delay(failures, jitter)
    return DeliveryResult(delivery, DeliveryOutcome.RETRIED, detail, due_at=due_at)


def retry_delay(failures: int, jitter: Callable[[], float] = random.random) -> timedelta:
    """Return how long to wait after a number of failures: exponential, up to half of it random.

    Half, not all of it: the five delays add up to at least 7 min 45 s (at most 15 min 30 s), so an
    outage of five minutes cannot use up the attempts.
    """
    factor: int = 1 << (failures - 1)
    return _FIRST_RETRY_DELAY * factor * (1 + jitter()) / 2
