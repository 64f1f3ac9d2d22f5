"""Brings about what operators meet: a fleet at work, its failures, and an outage."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from scheduler.database.running_devices import count_running
from scheduler.domain.brake import BrakeLimits
from scheduler.messaging.topology import NOTIFICATION_QUEUE, WORK_QUEUE_BY_NAME
from scheduler.settings import BrakeSettings
from tests.integration.broker.hops import Hops
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import device, held, user, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.messaging.message import Message
    from tests.support.store import Store

DEVICES: Final = 200
HELD: Final = 120
_USERS: Final = 40
_HELD_FOR: Final = timedelta(minutes=50)
_LATE: Final = timedelta(hours=1)
_REASON: Final = "Rack 7 is unreachable"
_PUBLISHED: Final = "UPDATE outgoing_events SET published_at = created_at"
_SENT: Final = """
    UPDATE notification_deliveries d JOIN notifications n ON n.id = d.notification_id
    SET d.status = 'sent', d.attempts = 1,
        d.sent_at = TIMESTAMPADD(MICROSECOND, 61000 + 37 * MOD(CRC32(n.id), 1000), n.created_at)
"""


class Fleet:
    """200 devices of which users hold 120, and the functions that consume the events about them."""

    def __init__(self, store: Store, broker_url: str, database_url: str) -> None:
        self._store = store
        self._hops = Hops(broker_url)
        self._broker_url = broker_url
        self.database_url = database_url
        """Where the functions look for the database."""
        self._failed = 0
        now = datetime.now(UTC)
        allocations = [
            held(_device(n), by=_user(n), since=now - _HELD_FOR) for n in range(1, HELD + 1)
        ]
        free = [device(_device(n)) for n in range(HELD + 1, DEVICES + 1)]
        users = [user(_user(n), locale="en") for n in range(_USERS)]
        store.seed(world(*users, *allocations, *free))
        with store.database.transaction() as cursor:
            count_running(cursor, DEVICES + 1, now)

    def failures(self, number: int) -> list[Message]:
        """Return failures of as many devices that users hold."""
        first = self._failed + 1
        self._failed += number
        return [
            message("device.failed", deviceId=_device(n), reason=_REASON)
            for n in range(first, first + number)
        ]

    def ordinary(self, number: int) -> list[Message]:
        """Return the six events of some seconds: one comes twice, one is outdated.

        Four have an effect: two devices are released, a device runs, and a user is warned.
        """
        first, second = self.failures(2)
        moved, now = _device(DEVICES - number), datetime.now(UTC)
        return [
            *(first, second, first),
            message("device.status_changed", deviceId=moved, newStatus="running", at=now),
            message("device.status_changed", deviceId=moved, newStatus="stopped", at=now - _LATE),
            message("billing.balance_low", userId=_user(number)),
        ]

    def invalid(self) -> Message:
        """Return an event without a reason, which becomes a dead letter."""
        return message("device.failed", body=b'{"deviceId": "device-200"}')

    def work(self, *messages: Message, queued: Callable[[], None] = lambda: None) -> None:
        """Publish events and let the functions consume them; call ``queued`` in between."""
        counts = Counter(WORK_QUEUE_BY_NAME[one.queue].event_type for one in messages)
        for one in messages:
            self._hops.publish(
                WORK_QUEUE_BY_NAME[one.queue].event_type, body=one.body, properties=one.properties
            )
        queued()
        limits = BrakeSettings.model_validate({})
        with Functions(
            self.database_url,
            self._broker_url,
            clock=lambda: datetime.now(UTC),
            brake=BrakeLimits(limits.mass_failure_share, limits.mass_failure_devices),
        ) as functions:
            for event_type, count in counts.items():
                family = event_type.partition(".")[0]
                self._hops.deliver(functions.consumer(family), {event_type: count})
        self._hops.channel.queue_purge(NOTIFICATION_QUEUE)  # the dispatcher takes what wakes it

    def notify(self) -> None:
        """Record that all notifications were sent, each within 0.1 s, and the outgoing events."""
        self._store.run(_SENT, _PUBLISHED)

    def close(self) -> None:
        """Close the connection to the broker."""
        self._hops.close()


def _device(number: int) -> str:
    return f"device-{number:03}"


def _user(number: int) -> str:
    return f"user-{number % _USERS:02}"
