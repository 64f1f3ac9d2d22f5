"""Many rows of long ago, made by the server itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.database.times import to_sql

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.store import Store


def live_through(store: Store, count: int, at: datetime) -> None:
    """Let so many allocations have ended, been told and been published at a time."""
    moment, rows = f"'{to_sql(at)}'", f"seq_1_to_{count}"
    body = "REPEAT('x', 32)"
    store.run(
        f"""
        INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at,
            released_at, duration_seconds, release_code)
        SELECT CONCAT('old-', seq), CONCAT('u', seq % 1000), CONCAT('d', seq % 1000), 'RELEASED',
            {moment}, {moment}, {moment}, 0, 'user_request' FROM {rows}
        """,  # noqa: S608 - constants
        f"""
        INSERT INTO notifications
            (id, user_id, type, title, message, data, dedupe_key, created_at)
        SELECT CONCAT('old-', seq), CONCAT('u', seq % 1000), 'device_released', '', '', '{{}}',
            CONCAT('device_released:old-', seq), {moment} FROM {rows}
        """,  # noqa: S608 - constants
        f"""
        INSERT INTO notification_deliveries (notification_id, channel, status, next_attempt_at)
        SELECT CONCAT('old-', seq), ELT(1 + seq % 3, 'websocket', 'email', 'sms'), 'sent', {moment}
        FROM {rows}
        """,  # noqa: S608 - constants
        f"""
        INSERT INTO outgoing_events (routing_key, body, created_at, published_at)
        SELECT 'device.released', '{{}}', {moment}, {moment} FROM {rows}
        """,  # noqa: S608 - constants
        f"""
        INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
        SELECT 'scheduler.device-failed', seq, {body}, {moment} FROM {rows}
        """,  # noqa: S608 - constants
    )
