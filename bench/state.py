"""What a contender leaves in the database: counts and checksums that all must agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from pymysql.cursors import Cursor

# Left out is what is another in each run: ids made on the way, times of day and what hashes them.
_COLUMNS: Final = {
    "users": ("id", "status", "billing_hold"),
    "devices": ("id", "name", "status", "health"),
    "allocations": (
        *("id", "user_id", "device_id", "status", "release_code", "release_reason"),
        *("duration_seconds DIV 60", "released_at IS NULL"),
    ),
    "event_versions": (
        *("aggregate", "id", "concern", "version"),
        "TIMESTAMPDIFF(MICROSECOND, @began, occurred_at)",
    ),
    "processed_messages": ("queue", "message_id", "LENGTH(body_sha256)"),
    "notifications": (
        *("user_id", "type", "title", "message", "dedupe_key", "urgent"),
        "JSON_REMOVE(data, '$.used')",
    ),
    "notification_deliveries d JOIN notifications n ON n.id = d.notification_id": (
        *("n.dedupe_key", "d.channel", "d.status"),
    ),
    "outgoing_events": (
        "routing_key",
        "JSON_REMOVE(body, '$.durationSeconds', '$.timestamp')",
    ),
}

State = dict[str, tuple[int, int]]
"""By table: how many rows there are, and a checksum that does not depend on their order."""


def state(cursor: Cursor, began: datetime) -> State:
    """Return the state of the database after a run that began (was seeded) at a time."""
    cursor.execute("SET @began = %s", (began,))
    found: State = {}
    for table, columns in _COLUMNS.items():
        texts = ", ".join(f"CONVERT({c} USING utf8mb4) COLLATE utf8mb4_bin" for c in columns)
        cursor.execute(f"SELECT COUNT(*), SUM(CRC32(CONCAT_WS('|', {texts}))) FROM {table}")
        (count, checksum) = cursor.fetchall()[0]
        found[table] = (int(count), int(checksum))
    return found


class DifferentStateError(Exception):
    """A contender did not do the same work as the others."""


def require_same(expected: State, found: State, who: str) -> None:
    """Compare what two contenders left.

    Raises:
        DifferentStateError: names the tables that differ.
    """
    differing = [name for name in expected if expected[name] != found[name]]
    if differing:
        details = "; ".join(f"{n}: {expected[n]} and {found[n]}" for n in differing)
        raise DifferentStateError(f"{who} left another state: {details}")
