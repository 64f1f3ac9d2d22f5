"""The work of one message, row by row as most consumers do it.

A generator yields statements and receives their rows, so that the same work runs on a blocking
and on an asynchronous driver.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any, Final

from scheduler.ids import uuid7
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

Statement = tuple[str, tuple[object, ...]]
StatementSteps = Generator[Statement, list[tuple[Any, ...]], None]

_SEEN: Final = "SELECT body_sha256 FROM processed_messages WHERE queue = %s AND message_id = %s"
_PROCESSED: Final = """
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
    VALUES (%s, %s, UNHEX(%s), %s)
"""
_DEVICE: Final = """
    SELECT d.name, d.cpu_cores, d.memory_mb, d.storage_mb, a.id, a.user_id, a.allocated_at
    FROM devices d LEFT JOIN allocations a ON a.active_device_id = d.id
    WHERE d.id = %s FOR UPDATE
"""
_USER: Final = "SELECT status FROM users WHERE id = %s FOR UPDATE"
_HELD: Final = """
    SELECT device_id FROM allocations WHERE user_id = %s AND status = 'ALLOCATED'
    ORDER BY allocated_at, id
"""
_MARK: Final = """
    SELECT occurred_at FROM event_versions WHERE aggregate = %s AND id = %s AND concern = %s
"""
SET_MARK: Final = """
    INSERT INTO event_versions (aggregate, id, concern, occurred_at) VALUES (%s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE occurred_at = VALUES(occurred_at)
"""
_HEALTH: Final = "UPDATE devices SET health = %s WHERE id = %s"
_FREE: Final = "UPDATE devices SET status = 'available' WHERE id = %s"
_STATUS: Final = "UPDATE users SET status = %s WHERE id = %s"
_RELEASE: Final = """
    UPDATE allocations SET status = 'RELEASED', released_at = %s, duration_seconds = %s,
        release_code = %s, release_reason = %s
    WHERE id = %s
"""
NOTIFY: Final = """
    INSERT INTO notifications
        (id, user_id, type, title, message, data, dedupe_key, urgent, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
DELIVER: Final = """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)
    VALUES (%s, %s, %s)
"""
_ANNOUNCE: Final = """
    INSERT INTO outgoing_events (routing_key, body, created_at) VALUES ('device.released', %s, %s)
"""


def steps(queue: str, message_id: str, raw: bytes) -> StatementSteps:
    """Apply one message as the functions would; a duplicate has no effect."""
    body = json.loads(raw)
    digest = hashlib.sha256(
        json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()  # aiomysql cannot escape bytes
    now = _now()
    if (yield _SEEN, (queue, message_id)):
        return
    yield from _WORK[WORK_QUEUE_BY_NAME[queue].event_type](f"{queue}:{message_id}", body)
    yield _PROCESSED, (queue, message_id, digest, now)


def _device_failed(key: str, body: dict[str, Any]) -> StatementSteps:
    device, at = body["deviceId"], _time(body)
    if (yield from _outdated("device", device, "health", at)):
        return
    yield from _release(key, device, "device_failed", f"设备故障：{body['reason']}")
    yield _HEALTH, ("failed", device)
    yield SET_MARK, ("device", device, "health", at)


def _user_suspended(key: str, body: dict[str, Any]) -> StatementSteps:
    user, at = body["userId"], _time(body)
    yield _USER, (user,)
    if (yield from _outdated("user", user, "account", at)):
        return
    yield _STATUS, ("suspended", user)
    held = yield _HELD, (user,)
    for (device,) in held:
        yield from _release(key, device, "user_suspended", f"账户已暂停：{body['reason']}")
    released = len(held)
    text = f"您的账户已暂停：{body['reason']}。已自动释放 {released} 台设备。"
    data = {"reason": body["reason"], "released": released}
    notification = ("account_suspended", "账户已暂停", text, data, f"account_suspended:{key}")
    yield from _notify(user, notification, ("websocket", "email"), urgent=True)
    yield SET_MARK, ("user", user, "account", at)


_WORK: Final[dict[str, Callable[[str, dict[str, Any]], StatementSteps]]] = {
    "device.failed": _device_failed,
    "user.suspended": _user_suspended,
}


def _release(key: str, device: str, code: str, reason: str) -> StatementSteps:
    rows = yield _DEVICE, (device,)
    name, cpu, memory, storage, allocation, user, since = rows[0]
    if not allocation:
        return
    now = _now()
    used = int((now - since).total_seconds())
    yield _RELEASE, (now, used, code, reason, allocation)
    yield _FREE, (device,)
    hours, minutes = used // 3600, used // 60 % 60
    text = f"设备 {name} 已释放。原因：{reason}。使用时长：{hours} 小时 {minutes} 分钟。"
    data = {
        "allocationId": allocation,
        "deviceId": device,
        "device": name,
        "used": used,
        "reasonCode": code,
        "reason": reason,
    }
    notification = ("device_released", "设备已释放", text, data, f"device_released:{allocation}")
    yield from _notify(user, notification, ("websocket",), urgent=False)
    event = {
        "allocationId": allocation,
        "userId": user,
        "deviceId": device,
        "reason": code,
        "durationSeconds": used,
        "cpuCores": cpu,
        "memoryMB": memory,
        "storageMB": storage,
        "timestamp": now.isoformat(),
        "causedBy": key.partition(":")[2],
    }
    yield _ANNOUNCE, (json.dumps(event, ensure_ascii=False, separators=(",", ":")), now)


def _notify(
    user: str,
    notification: tuple[str, str, str, dict[str, Any], str],
    channels: tuple[str, ...],
    *,
    urgent: bool,
) -> StatementSteps:
    type_, title, text, data, key = notification
    id_, now = uuid7(), _now()
    content = (type_, title, text, json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    yield NOTIFY, (id_, user, *content, key, urgent, now)
    for channel in channels:
        yield DELIVER, (id_, channel, now)


def _outdated(
    aggregate: str, id_: str, concern: str, at: datetime
) -> Generator[Statement, list[tuple[Any, ...]], bool]:
    rows = yield _MARK, (aggregate, id_, concern)
    return bool(rows) and rows[0][0] > at


def _now() -> datetime:
    return datetime.now(UTC)


def _time(body: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(body["timestamp"])
