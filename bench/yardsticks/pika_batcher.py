"""Consumes device.failed as a skilled engineer would by hand: batches with pika and PyMySQL.

Prefetch of two batches, 100 messages a transaction, the reads of a batch in two statements,
``executemany`` for its rows, one acknowledgement of all. Without what the functions do besides:
validation, retries, dead letters, poison messages, the brake, texts by language, metrics.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pika
import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions

from bench.yardsticks.message_work import DELIVER, NOTIFY, SET_MARK
from scheduler.database.times import from_sql
from scheduler.database.url import DatabaseUrl
from scheduler.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pika import BasicProperties
    from pika.adapters.blocking_connection import BlockingChannel
    from pika.spec import Basic
    from pymysql.cursors import Cursor

    from bench.testbed import Testbed

BATCH: Final = 100
_IDLE_SECONDS: Final = 0.02

# PyMySQL sends the rows of executemany in one statement only if VALUES has placeholders alone.
_SEEN: Final = "SELECT message_id FROM processed_messages WHERE queue = %s AND message_id IN %s"
_DEVICES: Final = """
    SELECT d.id, d.name, d.cpu_cores, d.memory_mb, d.storage_mb, a.id, a.user_id, a.allocated_at,
           v.occurred_at
    FROM devices d
    LEFT JOIN allocations a ON a.active_device_id = d.id
    LEFT JOIN event_versions v
        ON v.aggregate = 'device' AND v.id = d.id AND v.concern = 'health'
    WHERE d.id IN %s ORDER BY d.id FOR UPDATE
"""
_FAIL: Final = "UPDATE devices SET health = 'failed', status = 'available' WHERE id IN %s"
_PROCESSED: Final = """
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
    VALUES (%s, %s, %s, %s)
"""
_ANNOUNCE: Final = """
    INSERT INTO outgoing_events (routing_key, body, created_at) VALUES (%s, %s, %s)
"""
_RELEASE: Final = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at, released_at,
        duration_seconds, release_code, release_reason)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE status = VALUES(status), released_at = VALUES(released_at),
        duration_seconds = VALUES(duration_seconds), release_code = VALUES(release_code),
        release_reason = VALUES(release_reason)
"""


class _Received(NamedTuple):
    tag: int
    message_id: str
    body: bytes


def drain(testbed: Testbed, queue: str, count: int) -> float:
    """Consume messages of a queue and return the seconds."""
    left, batch = count, list[_Received]()
    parameters = pika.URLParameters(testbed.rabbitmq.url)
    with (
        closing(_connect(testbed)) as database,
        database.cursor() as cursor,
        closing(pika.BlockingConnection(parameters)) as connection,
    ):
        channel = connection.channel()

        def flush() -> None:
            nonlocal left
            _apply(cursor, queue, batch)
            database.commit()
            channel.basic_ack(batch[-1].tag, multiple=True)
            left -= len(batch)
            batch.clear()

        def on_message(
            _channel: BlockingChannel,
            method: Basic.Deliver,
            properties: BasicProperties,
            body: bytes,
        ) -> None:
            batch.append(_Received(method.delivery_tag, properties.message_id, body))
            if len(batch) == BATCH:
                flush()

        channel.basic_qos(prefetch_count=2 * BATCH)
        started = time.perf_counter()
        channel.basic_consume(queue, on_message)
        while left:
            before = len(batch)
            connection.process_data_events(_IDLE_SECONDS)
            if batch and len(batch) == before:
                flush()
        return time.perf_counter() - started


def _connect(testbed: Testbed) -> pymysql.Connection[Cursor]:
    """Connect with plain PyMySQL: our cursor, which is faster, is not part of the yardstick."""
    url = DatabaseUrl.parse(testbed.mariadb.url)
    return pymysql.connect(
        host=url.host,
        port=url.port,
        user=url.user,
        password=url.password or "",
        database=url.name,
        charset="utf8mb4",
        conv={**conversions, FIELD_TYPE.DATETIME: from_sql},
        init_command="SET SESSION tx_isolation = 'READ-COMMITTED', time_zone = '+00:00'",
    )


def _apply(cursor: Cursor, queue: str, batch: Sequence[_Received]) -> None:
    now = datetime.now(UTC)
    cursor.execute(_SEEN, (queue, [one.message_id for one in batch]))
    seen = {id_ for (id_,) in cursor.fetchall()}
    todo: dict[str, dict[str, Any]] = {}
    for one in batch:
        if one.message_id not in seen:
            todo.setdefault(one.message_id, json.loads(one.body))
    if not todo:
        return
    cursor.execute(_DEVICES, ([body["deviceId"] for body in todo.values()],))
    devices = {row[0]: row for row in cursor.fetchall()}
    processed, failed, releases, notifications, deliveries, events = [], [], [], [], [], []
    marks: dict[str, datetime] = {}
    for message_id, body in todo.items():
        device = body["deviceId"]
        _, name, cpu, memory, storage, allocation, user, since, mark = devices[device]
        at = datetime.fromisoformat(body["timestamp"])
        mark = marks.get(device, mark)
        if mark and mark > at:
            continue
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        processed.append((queue, message_id, hashlib.sha256(canonical.encode()).digest(), now))
        known, marks[device] = device in marks, at
        failed.append(device)
        if not allocation or known:
            continue
        reason, used = f"设备故障：{body['reason']}", int((now - since).total_seconds())
        times = (since, now, now, used)
        releases.append((allocation, user, device, "RELEASED", *times, "device_failed", reason))
        hours, minutes = used // 3600, used // 60 % 60
        data = {
            "allocationId": allocation,
            "deviceId": device,
            "device": name,
            "used": used,
            "reasonCode": "device_failed",
            "reason": reason,
        }
        text = f"设备 {name} 已释放。原因：{reason}。使用时长：{hours} 小时 {minutes} 分钟。"
        content = (
            text,
            json.dumps(data, ensure_ascii=False, separators=(",", ":")),
            f"device_released:{allocation}",
        )
        id_ = uuid7()
        notifications.append((id_, user, "device_released", "设备已释放", *content, 0, now))
        deliveries.append((id_, "websocket", now))
        event = {
            "allocationId": allocation,
            "userId": user,
            "deviceId": device,
            "reason": "device_failed",
            "durationSeconds": used,
            "cpuCores": cpu,
            "memoryMB": memory,
            "storageMB": storage,
            "timestamp": now.isoformat(),
            "causedBy": message_id,
        }
        events.append(
            ("device.released", json.dumps(event, ensure_ascii=False, separators=(",", ":")), now)
        )
    cursor.executemany(_PROCESSED, processed)
    if failed:
        cursor.execute(_FAIL, (failed,))
    cursor.executemany(_RELEASE, releases)
    cursor.executemany(NOTIFY, notifications)
    cursor.executemany(DELIVER, deliveries)
    cursor.executemany(_ANNOUNCE, events)
    cursor.executemany(SET_MARK, [("device", id_, "health", at) for id_, at in marks.items()])
