"""The limit of the database: writes the rows of device.failed with prebuilt multi-row SQL.

Texts, bodies and statements are built before the clock starts. Then one connection executes seven
statements and a COMMIT for each batch.
"""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bench.workload import HELD_FOR
from scheduler.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymysql.cursors import Cursor

    from bench.workload import QueuedEvent

_REASON: Final = "设备故障：Docker container crashed"
_CODE: Final = "device_failed"


def build(cursor: Cursor, events: Sequence[QueuedEvent], size: int) -> list[list[str]]:
    """Build the statements of each batch."""
    batches = (events[start : start + size] for start in range(0, len(events), size))
    return [_statements(cursor, batch) for batch in batches]


def run(cursor: Cursor, batches: Sequence[Sequence[str]]) -> float:
    """Execute each batch in a transaction and return the seconds."""
    started = time.perf_counter()
    for statements in batches:
        cursor.execute("BEGIN")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("COMMIT")
    return time.perf_counter() - started


def _statements(cursor: Cursor, batch: Sequence[QueuedEvent]) -> list[str]:
    now = datetime.now(UTC)
    bodies = [json.loads(event.body) for event in batch]
    numbers = [int(body["deviceId"][1:]) for body in bodies]
    devices = tuple(body["deviceId"] for body in bodies)
    notices = [_notice(n, now) for n in numbers]

    def insert(columns: str, rows: Sequence[Sequence[object]], rest: str = "") -> str:
        row = f"({', '.join(['%s'] * len(rows[0]))})"
        values = ", ".join(cursor.mogrify(row, tuple(one)) for one in rows)
        return f"INSERT INTO {columns} VALUES {values} {rest}"

    return [
        insert(
            "processed_messages (queue, message_id, body_sha256, processed_at)",
            [(e.queue, e.message_id, _digest(b), now) for e, b in zip(batch, bodies, strict=True)],
        ),
        cursor.mogrify(
            "UPDATE devices SET health = 'failed', status = 'available' WHERE id IN %s", (devices,)
        ),
        cursor.mogrify(
            "UPDATE allocations SET status = 'RELEASED', released_at = %s, release_code = %s,"
            " duration_seconds = TIMESTAMPDIFF(SECOND, allocated_at, %s), release_reason = %s"
            " WHERE active_device_id IN %s",
            (now, _CODE, now, _REASON, devices),
        ),
        insert(
            "event_versions (aggregate, id, concern, occurred_at)",
            [
                ("device", b["deviceId"], "health", datetime.fromisoformat(b["timestamp"]))
                for b in bodies
            ],
            "ON DUPLICATE KEY UPDATE occurred_at = VALUES(occurred_at)",
        ),
        insert(
            "notifications (id, user_id, type, title, message, data, dedupe_key, urgent,"
            " created_at)",
            notices,
        ),
        insert(
            "notification_deliveries (notification_id, channel, next_attempt_at)",
            [(notice[0], "websocket", now) for notice in notices],
        ),
        insert(
            "outgoing_events (routing_key, body, created_at)",
            [
                ("device.released", _event(n, e.message_id, now), now)
                for n, e in zip(numbers, batch, strict=True)
            ],
        ),
    ]


def _allocation(n: int) -> str:
    return f"00000000-0000-7000-8000-{n:012X}"


def _notice(n: int, now: datetime) -> tuple[Any, ...]:
    data = {
        "allocationId": _allocation(n),
        "deviceId": f"d{n}",
        "device": f"Phone {n}",
        "used": _USED,
        "reasonCode": _CODE,
        "reason": _REASON,
    }
    text = f"设备 Phone {n} 已释放。原因：{_REASON}。使用时长：2 小时 30 分钟。"
    content = ("device_released", "设备已释放", text, json.dumps(data, ensure_ascii=False))
    key = f"device_released:{_allocation(n)}"
    return (uuid7(), f"u{n}", *content, key, 0, now)


def _event(n: int, message_id: str, now: datetime) -> str:
    event = {
        "allocationId": _allocation(n),
        "userId": f"u{n}",
        "deviceId": f"d{n}",
        "reason": _CODE,
        "durationSeconds": _USED,
        "cpuCores": 4,
        "memoryMB": 8192,
        "storageMB": 65536,
        "timestamp": now.isoformat(),
        "causedBy": message_id,
    }
    return json.dumps(event, ensure_ascii=False)


def _digest(body: dict[str, Any]) -> bytes:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()


_USED: Final = int(HELD_FOR.total_seconds())
