"""Claimed deliveries, as senders get them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from scheduler.domain.notices import Channel
from scheduler.outbox.delivery import Delivery, Recipient
from tests.support.world import NOW

REACHABLE: Final = Recipient("u1", "someone@example.com", "+8613800138000", "zh-CN")


def delivery(channel: Channel = Channel.EMAIL, **fields: Any) -> Delivery:  # noqa: ANN401 - whatever a Delivery has
    """Return a delivery of a notification made just now."""
    given = {
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
    return Delivery(channel=channel, **{**given, **fields})
