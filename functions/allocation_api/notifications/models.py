"""Notifications on the wire."""

from __future__ import annotations

from typing import Any

from allocation_api.wire import Answer, Moment
from scheduler.domain.notices import Channel


class Delivery(Answer):
    """How a notification reached its user on one channel, or why it did not."""

    channel: Channel
    status: str
    attempts: int
    last_error: str | None
    sent_at: Moment | None


class Notification(Answer):
    """Something a user was told, in his language; ``data`` is for programs."""

    id: str
    type: str
    title: str
    message: str
    data: dict[str, Any]
    created_at: Moment
    read_at: Moment | None
    deliveries: list[Delivery]


class NotificationPage(Answer):
    """Some of a user's notifications, newest first."""

    items: list[Notification]
    next_cursor: str | None
