"""The worker that publishes outgoing events while others send notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger

from scheduler.messaging.publisher import BrokerUnavailableError

if TYPE_CHECKING:
    from notification_dispatch.shift import Shift
    from scheduler.outbox.outgoing_events import OutgoingEvents

logger: Final = Logger()


class Announcer:
    """Tells other services what was committed."""

    def __init__(self, events: OutgoingEvents) -> None:
        self._events = events

    def work(self, shift: Shift) -> int:
        """Publish until the shift is over; return how many events were published.

        Raises:
            DatabaseUnavailableError: the database is away.
        """
        published = 0
        try:
            while not shift.over:
                if new := self._events.publish_next():
                    published += new
                elif not shift.rest():
                    return published
        except BrokerUnavailableError as error:
            logger.warning("Outgoing events wait", extra={"error": str(error)})
        except BaseException:
            shift.leave()
            raise
        shift.leave()
        return published
