"""What the tests of claims and of the channel worker share."""

from __future__ import annotations

import time
from typing import Final

from notification_dispatch.invocation import Invocation
from scheduler.aws_errors import ErrorClass
from scheduler.deadline import Deadline
from scheduler.domain.notices import Channel
from scheduler.outbox.retry_policy import ProviderError
from tests.support.world import MINUTE

EMAIL_ONLY: Final = (Channel.EMAIL,)
WEBSOCKET_ONLY: Final = (Channel.WEBSOCKET,)
LEASE: Final = MINUTE
THREADS: Final = 4
UNAVAILABLE: Final = ProviderError(ErrorClass.TRANSIENT, "ServiceUnavailable")


def invocation(workers: int = 1, seconds: float = 30) -> Invocation:
    """Return an invocation with so many workers and so much time."""
    return Invocation(Deadline(time.monotonic() + seconds), workers)
