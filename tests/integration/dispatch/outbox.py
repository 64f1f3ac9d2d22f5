"""Writes notifications and outgoing events as commits do, and reads deliveries back."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.database.connection import connect
from scheduler.domain.notices import Channel
from scheduler.ids import uuid7
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tests.support.store import Store

_USERS: Final = (
    "INSERT INTO users (id, max_devices, email, phone, locale) VALUES (%s, %s, %s, %s, %s)"
)
_NOTIFICATIONS: Final = (
    "INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, urgent,"
    " created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_DELIVERIES: Final = (
    "INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at, user_id, kind)"
    " VALUES (%s, %s, %s, %s, %s)"
)
_OUTGOING: Final = "INSERT INTO outgoing_events (routing_key, body, created_at) VALUES (%s, %s, %s)"
_ROWS: Final = (
    "SELECT id, notification_id, channel, status, attempts, next_attempt_at, claimed_until,"
    " last_error, provider_message_id, sent_at FROM notification_deliveries ORDER BY id"
)


class StoredDelivery(NamedTuple):
    """A row of notification_deliveries."""

    id: int
    notification_id: str
    channel: str
    status: str
    attempts: int
    next_attempt_at: datetime
    claimed_until: datetime | None
    last_error: str | None
    provider_message_id: str | None
    sent_at: datetime | None


def to_each_user(number: int, **fields: Any) -> list[NewNotification]:  # noqa: ANN401 - any field
    """Return a notification for each of so many users."""
    return [NewNotification(user_id=f"user-{n}", **fields) for n in range(number)]


@dataclass(frozen=True, slots=True)
class NewNotification:
    """A notification to insert, created at ``at``."""

    user_id: str = "u1"
    channels: tuple[Channel, ...] = tuple(Channel)
    message: str = "设备故障：Docker container crashed"
    title: str = "设备已释放"
    type: str = "device_released"
    data: str = '{"deviceId": "d1"}'
    kind: str = "device_released"
    urgent: bool = False
    at: datetime = NOW
    id: str = field(default_factory=uuid7)


class Outbox:
    """The tables of the outbox."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add_users(self, *users: tuple[str, str | None, str | None]) -> None:
        """Insert users given as id, e-mail and phone."""
        self._many(_USERS, [(id_, 10, email, phone, "en") for id_, email, phone in users])

    def add(self, *notifications: NewNotification) -> list[str]:
        """Insert notifications with their deliveries, due immediately; return their ids."""
        self._many(
            _NOTIFICATIONS,
            [
                (
                    *(one.id, one.user_id, one.type, one.title, one.message, one.data),
                    *(f"key-{one.id}", one.urgent, one.at),
                )
                for one in notifications
            ],
        )
        self._many(
            _DELIVERIES,
            [
                (one.id, channel, one.at, one.user_id, one.kind)
                for one in notifications
                for channel in one.channels
            ],
        )
        return [one.id for one in notifications]

    def add_events(self, *events: tuple[str, str], at: datetime = NOW) -> None:
        """Insert outgoing events given as routing key and body."""
        self._many(_OUTGOING, [(key, body, at) for key, body in events])

    def rows(self, channel: Channel | None = None) -> list[StoredDelivery]:
        """Return all deliveries, or those of one channel."""
        rows = [StoredDelivery(*row) for row in self._store.rows(_ROWS)]
        return [row for row in rows if channel is None or row.channel == channel]

    def statuses(self, channel: Channel | None = None) -> dict[str, int]:
        """Return the number of deliveries by status."""
        counts: dict[str, int] = {}
        for row in self.rows(channel):
            counts[row.status] = counts.get(row.status, 0) + 1
        return counts

    def _many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with closing(connect(self._store.settings)) as connection, connection.cursor() as cursor:
            cursor.executemany(statement, list(rows))
            connection.commit()
