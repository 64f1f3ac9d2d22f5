"""Old rows, as years of operation leave them: in every table that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

CHUNK: Final = 100_000
"""Rows for each statement."""

_ID: Final = "CONCAT('00000000-0000-7000-9000-', LPAD(HEX(seq), 12, '0'))"
_LONG_AGO: Final = "'2026-01-01' + INTERVAL seq SECOND"
_TABLES: Final = (
    f"""
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at,
        released_at, duration_seconds, release_code, release_reason)
    SELECT {_ID}, CONCAT('u', seq % 10000), CONCAT('d', seq % 10000), 'RELEASED', {_LONG_AGO},
        {_LONG_AGO}, {_LONG_AGO}, 3600, 'device_failed', '设备故障：Docker container crashed'
    FROM {{sequence}}
    """,
    f"""
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
    SELECT 'scheduler.device-failed', {_ID}, REPEAT('x', 32), {_LONG_AGO} FROM {{sequence}}
    """,
    f"""
    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    SELECT {_ID}, CONCAT('u', seq % 10000), 'device_released', '设备已释放',
        '设备 Phone 1 已释放。原因：设备故障：Docker container crashed。使用时长：2小时30分钟。',
        '{{{{"deviceId": "d1"}}}}', CONCAT('device_released:', {_ID}), {_LONG_AGO}
    FROM {{sequence}}
    """,
    f"""
    INSERT INTO notification_deliveries
        (notification_id, channel, status, attempts, next_attempt_at, sent_at)
    SELECT {_ID}, 'websocket', 'sent', 1, {_LONG_AGO}, {_LONG_AGO} FROM {{sequence}}
    """,
    f"""
    INSERT INTO outgoing_events (routing_key, body, created_at, published_at)
    SELECT 'device.released', '{{{{"deviceId": "d1"}}}}', {_LONG_AGO}, {_LONG_AGO} FROM {{sequence}}
    """,
)


def add(cursor: Cursor, first: int, last: int) -> None:
    """Insert the old rows number first to last into each table that grows."""
    for start in range(first, last, CHUNK):
        sequence = f"seq_{start}_to_{min(start + CHUNK, last) - 1}"
        for statement in _TABLES:
            cursor.execute(statement.format(sequence=sequence))
