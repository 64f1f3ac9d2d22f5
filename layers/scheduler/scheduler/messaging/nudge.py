"""Wakes the notification dispatcher after a commit that gave it something to send."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from scheduler.messaging.outbound import BrokerUnavailableError, OutboundMessage
from scheduler.messaging.topology import NOTIFICATION_QUEUE
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.messaging.publisher import Publisher

_PROPERTIES: Final[dict[str, Any]] = {
    "content_type": "application/json",
    # After a minute the dispatcher's schedule has run it anyway; older nudges would only pile up.
    "expiration": "60000",
}
_NUDGE: Final = OutboundMessage("", NOTIFICATION_QUEUE, b"{}", _PROPERTIES)
_SECONDS: Final = 1.0
_BACKOFF_SECONDS: Final = 30.0

logger: Final = service_logger()


class Nudge:
    """Best effort: the dispatcher runs every minute anyway, so a lost nudge costs a minute."""

    def __init__(self, publisher: Publisher, clock: Callable[[], float] = time.monotonic) -> None:
        self._publisher = publisher
        self._clock = clock
        self._silent_until = 0.0

    def send(self) -> None:
        """Publish the nudge; never raises.

        It takes a second at most, connecting included. After a failure none is sent for 30 seconds.
        """
        if self._clock() < self._silent_until:
            return
        try:
            self._publisher.publish_within(_NUDGE, _SECONDS)
        except BrokerUnavailableError as error:
            self._silent_until = self._clock() + _BACKOFF_SECONDS
            logger.warning("Could not nudge the dispatcher", extra={"error": str(error)})
