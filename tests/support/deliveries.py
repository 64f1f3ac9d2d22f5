"""Claimed deliveries, and a sender that passes them to the test."""

from __future__ import annotations

from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from notification_dispatch.channels.sender import Accepted, SendResponse
from scheduler.domain.notices import Channel
from scheduler.outbox.delivery import Delivery, Recipient
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REACHABLE: Final = Recipient("u1", "someone@example.com", "+8613800138000", "zh-CN")


def delivery(channel: Channel = Channel.EMAIL, **fields: Any) -> Delivery:  # noqa: ANN401 - any field of Delivery
    """Return a delivery of a notification created at `NOW`."""
    defaults = {
        "id": 1,
        "attempts": 0,
        "claimed_until": NOW + timedelta(minutes=1),
        "notification_id": "01900000-0000-7000-8000-000000000001",
        "type": "device_released",
        "title": "设备已释放",
        "message": "设备故障：Docker container crashed",
        "data": '{"deviceId": "d1"}',
        "created_at": NOW,
        "urgent": False,
        "recipient": REACHABLE,
    }
    return Delivery(channel=channel, **{**defaults, **fields})


class FakeSender:
    """Sends single deliveries to a function of the test, and records their ids in ``sent``.

    ``overlapping`` has the deliveries that two threads were sending at the same time.
    """

    def __init__(
        self,
        channel: Channel = Channel.EMAIL,
        respond: Callable[[Delivery], SendResponse] = lambda _: Accepted("id"),
    ) -> None:
        self.channel = channel
        self.respond = respond
        self.sent: list[int] = []
        self.overlapping: set[int] = set()
        self._in_flight: set[int] = set()
        self._lock = Lock()

    def send(self, batch: Sequence[Delivery]) -> Iterator[SendResponse]:
        """Call the test's function."""
        for delivery in batch:
            with self._lock:
                self.sent.append(delivery.id)
                if delivery.id in self._in_flight:
                    self.overlapping.add(delivery.id)
                self._in_flight.add(delivery.id)
            try:
                yield self.respond(delivery)
            finally:
                with self._lock:
                    self._in_flight.discard(delivery.id)
