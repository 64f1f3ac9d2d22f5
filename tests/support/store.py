"""The database as a test sees it: filled with a world, read back as plain values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from scheduler.database.connection import Database
from scheduler.settings import DatabaseSettings
from tests.support.rows import named_rows
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pymysql.cursors import Cursor

    from scheduler.domain.state import Snapshot

_READ: Final = {
    "users": "SELECT id, status, billing_hold, max_devices, max_cpu, max_memory_mb, email, phone,"
    " locale FROM users ORDER BY id",
    "devices": "SELECT id, name, status, health, cpu_cores, memory_mb, storage_mb FROM devices"
    " ORDER BY id",
    "allocations": "SELECT id, user_id, device_id, status, released_at, duration_seconds,"
    " release_code, release_reason FROM allocations ORDER BY id",
    "marks": "SELECT aggregate, id, concern, version, occurred_at FROM event_versions"
    " ORDER BY aggregate, id, concern",
    "processed": "SELECT queue, message_id FROM processed_messages ORDER BY queue, message_id",
    "notifications": "SELECT dedupe_key, user_id, type, title, message, data FROM notifications"
    " ORDER BY dedupe_key",
    "deliveries": "SELECT n.dedupe_key, d.channel, d.status FROM notification_deliveries d"
    " JOIN notifications n ON n.id = d.notification_id ORDER BY n.dedupe_key, d.channel",
    "outgoing": "SELECT routing_key, body FROM outgoing_events ORDER BY routing_key, body",
}

_EMPTIED: Final = (
    *("users", "devices", "allocations", "event_versions", "processed_messages"),
    *("notifications", "notification_deliveries", "outgoing_events", "waiting", "reservations"),
    "unapplied_messages",
    "early_reports",
    *("mass_failure_brake", "mass_failure_seconds", "unidentified_messages", "delivery_attempts"),
    *("erasures", "idempotency_keys", "notification_preferences"),
    *("housekeeping_walks", "operator_actions", "letter_actions", "request_limits"),
)

State = dict[str, list[Any]]
"""Rows by table, whose columns have names."""


class Store:
    """A migrated database, asked over one connection. Not for use by several threads."""

    def __init__(self, url: str) -> None:
        self.settings = DatabaseSettings.model_validate({"DATABASE_URL": url})
        self.database = Database(self.settings)

    def seed(self, world: Snapshot) -> None:
        """Insert what a world holds."""
        with self.database.transaction() as cursor:
            cursor.executemany(
                "INSERT INTO users (id, status, billing_hold, hold_in_debt, max_devices, max_cpu,"
                " max_memory_mb, email, phone, locale)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (
                        *(one.id, one.status, one.billing_hold, one.hold_in_debt),
                        *(one.quota.max_devices, one.quota.max_cpu, one.quota.max_memory_mb),
                        *("someone@example.com", "+8613800138000", one.locale),
                    )
                    for one in world.users.values()
                ],
            )
            cursor.executemany(
                "INSERT INTO devices (id, name, status, health, cpu_cores, memory_mb, storage_mb)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    (
                        *(one.id, one.name, one.status, one.health),
                        *(one.cpu_cores, one.memory_mb, one.storage_mb),
                    )
                    for one in world.devices.values()
                ],
            )
            cursor.executemany(
                "INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    (
                        *(one.id, one.user_id, one.device_id, "ALLOCATED"),
                        *(one.allocated_at, NOW + 60 * MINUTE),
                    )
                    for one in world.allocations.values()
                ],
            )
            cursor.executemany(
                "INSERT INTO event_versions (aggregate, id, concern, occurred_at, version,"
                " unversioned_at) VALUES (%s, %s, %s, %s, %s, %s)",
                [(*key, *mark) for key, mark in world.marks.items()],
            )

    def state(self) -> State:
        """Return everything a batch may change, in an order that does not depend on chance."""
        with self.database.transaction() as cursor:
            state = {name: _rows(cursor, query) for name, query in _READ.items()}
        return state | {
            "notifications": [
                row._replace(data=json.loads(row.data)) for row in state["notifications"]
            ],
            "outgoing": [row._replace(body=json.loads(row.body)) for row in state["outgoing"]],
        }

    def rows(self, query: str, *parameters: object) -> list[Any]:
        """Return the rows of a query, as named tuples."""
        with self.database.transaction() as cursor:
            return _rows(cursor, query, *parameters)

    def run(self, *statements: str) -> None:
        """Run statements in one transaction."""
        with self.database.transaction() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def insert(self, table: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
        """Insert many rows with values for columns, such as ``"id, status"``."""
        places = ", ".join(["%s"] * len(columns.split(", ")))
        statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 - our names
        with self.database.transaction() as cursor:
            cursor.executemany(statement, list(rows))

    def clear(self) -> None:
        """Delete all rows: much quicker than truncating, for examples of a property."""
        self.run(*(f"DELETE FROM {table}" for table in _EMPTIED))  # noqa: S608 - our own tables


def _rows(cursor: Cursor, query: str, *parameters: object) -> list[Any]:
    cursor.execute(query, parameters)
    return named_rows(cursor)
