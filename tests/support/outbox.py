"""The outbox as commits leave it, and what the dispatcher made of it."""

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
    "INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)"
    " VALUES (%s, %s, %s)"
)
_OUTGOING: Final = "INSERT INTO outgoing_events (routing_key, body, created_at) VALUES (%s, %s, %s)"
_ROWS: Final = (
    "SELECT id, notification_id, channel, status, attempts, next_attempt_at, claimed_until,"
    " last_error, provider_message_id, sent_at FROM notification_deliveries ORDER BY id"
)


class Row(NamedTuple):
    """A delivery as stored."""

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


@dataclass(frozen=True, slots=True)
class Told:
    """A notification to write."""

    user_id: str = "u1"
    channels: tuple[Channel, ...] = tuple(Channel)
    message: str = "设备故障：Docker container crashed"
    title: str = "设备已释放"
    type: str = "device_released"
    data: str = '{"deviceId": "d1"}'
    urgent: bool = False
    at: datetime = NOW
    id: str = field(default_factory=uuid7)


class Outbox:
    """Writes what commits would write."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def users(self, *users: tuple[str, str | None, str | None]) -> None:
        """Insert users: id, e-mail, phone."""
        self._many(_USERS, [(id_, 10, email, phone, "en") for id_, email, phone in users])

    def tell(self, *told: Told) -> list[str]:
        """Insert notifications with their deliveries, due when they happened; return their ids."""
        self._many(
            _NOTIFICATIONS,
            [
                (
                    *(one.id, one.user_id, one.type, one.title, one.message, one.data),
                    *(f"key-{one.id}", one.urgent, one.at),
                )
                for one in told
            ],
        )
        self._many(
            _DELIVERIES,
            [(one.id, channel, one.at) for one in told for channel in one.channels],
        )
        return [one.id for one in told]

    def happened(self, *events: tuple[str, str], at: datetime = NOW) -> None:
        """Insert outgoing events: routing key and body."""
        self._many(_OUTGOING, [(key, body, at) for key, body in events])

    def rows(self, channel: Channel | None = None) -> list[Row]:
        """Return the deliveries, of one channel or all."""
        rows = [Row(*row) for row in self._store.rows(_ROWS)]
        return [row for row in rows if channel is None or row.channel == channel]

    def statuses(self, channel: Channel | None = None) -> dict[str, int]:
        """Return how many deliveries are in which status."""
        counts: dict[str, int] = {}
        for row in self.rows(channel):
            counts[row.status] = counts.get(row.status, 0) + 1
        return counts

    def _many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with closing(connect(self._store.settings)) as connection, connection.cursor() as cursor:
            cursor.executemany(statement, list(rows))
            connection.commit()
