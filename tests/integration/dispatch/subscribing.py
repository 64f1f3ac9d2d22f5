"""What the tests of events for other services share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.messaging.publisher import Publisher
from scheduler.settings import BrokerSettings

if TYPE_CHECKING:
    from scheduler.outbox.outgoing_events import OutgoingEvents

SUBSCRIBER: Final = "billing.device-events"
UNPUBLISHED: Final = "SELECT COUNT(*) FROM outgoing_events WHERE published_at IS NULL"


def publisher_to(url: str) -> Publisher:
    """Return a publisher like the dispatcher's."""
    return Publisher(BrokerSettings.model_validate({"BROKER_URL": url}), mandatory=False)


def publish_all(events: OutgoingEvents) -> int:
    """Publish all events, and return how many."""
    total = 0
    while published := events.publish_next():
        total += published
    return total
