"""The limit of the database: writes the rows of device.failed with prebuilt statements.

Everything is built before the clock starts. Then one connection executes seven statements and a
COMMIT for each batch: as text with multi-row INSERTs, or with the INSERTs in MariaDB's bulk
protocol, all sent before the first response is read.
"""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pymysql.constants import COMMAND

from bench.workload import HELD_FOR
from scheduler.database.bulk_protocol import encode
from scheduler.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymysql.cursors import Cursor

    from bench.workload import QueuedEvent
    from scheduler.database.wire import WireConnection

_REASON: Final = "设备故障：Docker container crashed"
_CODE: Final = "device_failed"


class BareStatement(NamedTuple):
    """An INSERT of many rows, or a statement without rows."""

    query: str
    rows: Sequence[Sequence[object]] = ()


def build(cursor: Cursor, events: Sequence[QueuedEvent], size: int) -> list[list[str]]:
    """Build the statements of each batch as text."""
    return [[_text(cursor, one) for one in batch] for batch in _batches(cursor, events, size)]


def run(cursor: Cursor, batches: Sequence[Sequence[str]]) -> float:
    """Execute each batch in a transaction and return the seconds."""
    started = time.perf_counter()
    for statements in batches:
        cursor.execute("BEGIN")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("COMMIT")
    return time.perf_counter() - started


def build_bulk(
    connection: WireConnection, cursor: Cursor, events: Sequence[QueuedEvent], size: int
) -> list[list[str | bytes]]:
    """Build the statements of each batch: bodies of the bulk protocol, and text without rows."""
    batches = _batches(cursor, events, size)
    for query in {one.query for one in batches[0] if one.rows}:
        connection.send_prepare(query)
        connection.read_prepared(query)
    return [
        [encode(connection.prepared[one.query], one.rows) if one.rows else one.query for one in b]
        for b in batches
    ]


def run_bulk(connection: WireConnection, batches: Sequence[Sequence[str | bytes]]) -> float:
    """Execute each batch in a transaction and return the seconds."""
    started = time.perf_counter()
    for statements in batches:
        for statement in ("BEGIN", *statements, "COMMIT"):
            if isinstance(statement, bytes):
                connection.send_bulk(statement)
            else:
                connection._execute_command(COMMAND.COM_QUERY, statement)  # noqa: SLF001 - the sending half of query()
        for _ in range(len(statements) + 2):
            connection._next_seq_id = 1  # type: ignore[attr-defined]  # noqa: SLF001 - each response counts its packets from 1
            connection._read_query_result()  # noqa: SLF001 - the reading half
    return time.perf_counter() - started


def _text(cursor: Cursor, statement: BareStatement) -> str:
    if not statement.rows:
        return statement.query
    row = f"({', '.join(['%s'] * len(statement.rows[0]))})"
    before, after = statement.query.split(row)
    return before + ", ".join(cursor.mogrify(row, tuple(one)) for one in statement.rows) + after


def _batches(cursor: Cursor, events: Sequence[QueuedEvent], size: int) -> list[list[BareStatement]]:
    batches = (events[start : start + size] for start in range(0, len(events), size))
    return [_statements(cursor, batch) for batch in batches]


def _statements(cursor: Cursor, batch: Sequence[QueuedEvent]) -> list[BareStatement]:
    now = datetime.now(UTC)
    bodies = [json.loads(event.body) for event in batch]
    numbers = [int(body["deviceId"][1:]) for body in bodies]
    devices = tuple(body["deviceId"] for body in bodies)
    notices = [_notice(n, now) for n in numbers]

    def insert(columns: str, rows: Sequence[Sequence[object]], rest: str = "") -> BareStatement:
        row = f"({', '.join(['%s'] * len(rows[0]))})"
        return BareStatement(f"INSERT INTO {columns} VALUES {row} {rest}", rows)

    def update(query: str, *values: object) -> BareStatement:
        return BareStatement(cursor.mogrify(query, values))

    return [
        insert(
            "processed_messages (queue, message_id, body_sha256, processed_at)",
            [(e.queue, e.message_id, _digest(b), now) for e, b in zip(batch, bodies, strict=True)],
        ),
        update(
            "UPDATE devices SET health = 'failed', status = 'available' WHERE id IN %s", devices
        ),
        update(
            "UPDATE allocations SET status = 'RELEASED', released_at = %s, release_code = %s,"
            " duration_seconds = TIMESTAMPDIFF(SECOND, allocated_at, %s), release_reason = %s"
            " WHERE active_device_id IN %s",
            *(now, _CODE, now, _REASON, devices),
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
    content = (
        "device_released",
        "设备已释放",
        text,
        json.dumps(data, ensure_ascii=False, separators=(",", ":")),
    )
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
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _digest(body: dict[str, Any]) -> bytes:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()


_USED: Final = int(HELD_FOR.total_seconds())
