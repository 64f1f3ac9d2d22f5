"""What is in the database before a deployment, and the events that arrive during it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from events.bodies import FULLEST
from tests.support.events import EVENT_TYPES, message

if TYPE_CHECKING:
    from scheduler.messaging.message import Message

ROWS: Final = (
    # Each event has its user and device; those without an event of their own are for the API.
    """
    INSERT INTO users (id, max_devices, email, phone)
    SELECT CONCAT('u', seq), 8, 'someone@example.com', '+8613800138000' FROM seq_0_to_29
    """,
    """
    INSERT INTO devices (id, name, status, cpu_cores, memory_mb)
    SELECT CONCAT('d', seq), 'phone', IF(seq < 20, 'allocated', 'available'), 2, 4096
    FROM seq_0_to_29
    """,
    """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    SELECT CONCAT('a', seq), CONCAT('u', seq), CONCAT('d', seq), 'ALLOCATED',
           UTC_TIMESTAMP(6) - INTERVAL 10 MINUTE, UTC_TIMESTAMP(6) + INTERVAL 1 DAY
    FROM seq_0_to_19
    """,
    "UPDATE devices SET memory_mb = 8192 WHERE id = 'd19'",
    # Something to do for each job of housekeeping.
    "UPDATE allocations SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE WHERE id = 'a15'",
    "UPDATE allocations SET expires_at = UTC_TIMESTAMP(6) + INTERVAL 1 MINUTE WHERE id = 'a16'",
    "UPDATE users SET status = 'suspended' WHERE id = 'u17'",
    "UPDATE devices SET health = 'failed' WHERE id = 'd18'",
    """
    INSERT INTO reservations
    SET id = 'r1', user_id = 'u20', device_id = 'd20', starts_at = UTC_TIMESTAMP(6),
        ends_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR, min_cpu_cores = 0, min_memory_mb = 0,
        created_at = UTC_TIMESTAMP(6) - INTERVAL 1 HOUR
    """,
    """
    INSERT INTO waiting (id, user_id, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at)
    SELECT CONCAT('w', seq), CONCAT('u', 20 + seq), 30, 0, 0, UTC_TIMESTAMP(6) - INTERVAL 1 HOUR,
           UTC_TIMESTAMP(6) - INTERVAL 2 HOUR + INTERVAL seq HOUR
    FROM seq_1_to_3
    """,
    """
    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    SELECT CONCAT('00000000-0000-7000-8000-0000000000', seq), CONCAT('u', seq), 'billing_alert',
           't', 'm', '{}', CONCAT('billing_alert.overdue:scheduler.q:n', seq),
           UTC_TIMESTAMP(6) - INTERVAL 10 MINUTE
    FROM seq_24_to_25
    """,
    """
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
    VALUES ('scheduler.device-failed', 'old', REPEAT('x', 32), UTC_TIMESTAMP(6) - INTERVAL 1 YEAR)
    """,
)


def events(suffix: str = "") -> list[Message]:
    """Return one message of each event, each about its own user and device."""
    return [_event(number, event_type, suffix) for number, event_type in enumerate(EVENT_TYPES)]


def _event(number: int, event_type: str, suffix: str) -> Message:
    ids = {"deviceId": f"d{number}", "userId": f"u{number}"}
    fields = {name: id_ for name, id_ in ids.items() if name in FULLEST[event_type]}
    return message(event_type, id=f"m{number}{suffix}", **(FULLEST[event_type] | fields))
