"""The state a contender leaves in the database: row counts and checksums, compared with others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from pymysql.cursors import Cursor

# Without columns that differ in each run: generated ids, times, and hashes of them.
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

StateDigest = dict[str, tuple[int, int]]
"""By table, the number of rows and a checksum that does not depend on their order."""


def state(cursor: Cursor, began: datetime) -> StateDigest:
    """Return the state of the database after a run that was seeded at ``began``."""
    cursor.execute("SET @began = %s", (began,))
    found: StateDigest = {}
    for table, columns in _COLUMNS.items():
        texts = ", ".join(f"CONVERT({c} USING utf8mb4) COLLATE utf8mb4_bin" for c in columns)
        cursor.execute(f"SELECT COUNT(*), SUM(CRC32(CONCAT_WS('|', {texts}))) FROM {table}")
        (count, checksum) = cursor.fetchall()[0]
        found[table] = (int(count), int(checksum))
    return found


class StateMismatchError(Exception):
    """Contenders left different states, so their times cannot be compared."""


def require_same(expected: StateDigest, found: StateDigest, contender: str) -> None:
    """Compare the states that two contenders left.

    Raises:
        StateMismatchError: they differ; names the tables.
    """
    differing = [name for name in expected if expected[name] != found[name]]
    if differing:
        details = "; ".join(f"{n}: {expected[n]} and {found[n]}" for n in differing)
        raise StateMismatchError(f"{contender} left another state: {details}")
