"""What a provider's refusal means for the delivery: a table, and when to try again."""

from __future__ import annotations

import random
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from scheduler.outbox.delivery import Fate, Result

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from scheduler.outbox.delivery import Delivery

MAX_ATTEMPTS: Final = 6
FIRST_PAUSE: Final = timedelta(seconds=30)
TOO_LATE: Final = timedelta(hours=24)
"""Nobody wants yesterday's alarm: what could not be sent in this time fails."""

_THROTTLE_PAUSE: Final = timedelta(seconds=10)


class Trouble(Enum):
    """What an error says about the next attempt."""

    PERMANENT = auto()
    """This message will never be taken."""
    TRANSIENT = auto()
    """The provider is away or broken, or our account with it is: later it may work."""
    RECIPIENT_BUSY = auto()
    """This recipient does not take it now; that says nothing about the provider."""
    THROTTLED = auto()
    """Too fast. The message was not looked at, so it costs no attempt."""


class ProviderError(Exception):
    """A provider did not take a message; the text is free of addresses."""

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble = trouble


def after(
    error: ProviderError, delivery: Delivery, now: datetime, jitter: Callable[[], float]
) -> Result:
    """Return what becomes of a delivery that a provider did not take.

    Args:
        error: what the provider said.
        delivery: the delivery.
        now: the present.
        jitter: gives a random number from 0 to 1.
    """
    detail = str(error)
    if error.trouble is Trouble.PERMANENT or now - delivery.created_at > TOO_LATE:
        return Result(delivery, Fate.FAILED, detail)
    if error.trouble is Trouble.THROTTLED:
        return Result(delivery, Fate.POSTPONED, detail, due_at=now + _THROTTLE_PAUSE * jitter())
    failed = delivery.attempts + 1
    if failed >= MAX_ATTEMPTS:
        return Result(delivery, Fate.FAILED, detail)
    return Result(delivery, Fate.RETRIED, detail, due_at=now + pause(failed, jitter))


def pause(failed: int, jitter: Callable[[], float] = random.random) -> timedelta:
    """Return how long to wait after so many failed attempts: exponential, half of it random.

    Not fully random: the five pauses come to 7 min 45 s at least (15 at most), so that no
    outage of five minutes uses up the attempts, however the dice fall.
    """
    doubled: int = 1 << (failed - 1)
    return FIRST_PAUSE * doubled * (1 + jitter()) / 2
