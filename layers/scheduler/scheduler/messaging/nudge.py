"""Wakes the notification dispatcher after a commit that left it something to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from scheduler.messaging.publisher import BrokerUnavailableError, Outbound
from scheduler.messaging.topology import NOTIFICATION_QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.messaging.publisher import Publisher

_PROPERTIES: Final[dict[str, Any]] = {
    "content_type": "application/json",
    # By then the dispatcher's schedule has come round; a backlog of nudges would help nobody.
    "expiration": "60000",
}
_NUDGE: Final = Outbound("", NOTIFICATION_QUEUE, b"{}", _PROPERTIES)
_SULK: Final = 30.0

logger: Final = Logger()


class Nudge:
    """Best effort: the dispatcher runs every minute anyway, so a lost nudge costs a minute."""

    def __init__(self, publisher: Publisher, clock: Callable[[], float] = time.monotonic) -> None:
        self._publisher = publisher
        self._clock = clock
        self._silent_until = 0.0

    def send(self) -> None:
        """Publish the nudge; never raises.

        After a failure none is sent for 30 seconds: every try may last until the timeout, and the
        caller waits.
        """
        if self._clock() < self._silent_until:
            return
        try:
            self._publisher.publish([_NUDGE])
        except BrokerUnavailableError as error:
            self._silent_until = self._clock() + _SULK
            logger.warning("Could not nudge the dispatcher", extra={"error": str(error)})
