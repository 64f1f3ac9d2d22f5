"""Events as other services publish them, and the Amazon MQ events that carry them."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from pika import BasicProperties

from local.event_source_mapping.record import record_json
from scheduler.messaging.message import Message
from scheduler.messaging.topology import VHOST, WORK_QUEUES

if TYPE_CHECKING:
    from datetime import datetime

EVENT_TYPES: Final = tuple(queue.event_type for queue in WORK_QUEUES)
QUEUE_OF: Final = {queue.event_type: queue.name for queue in WORK_QUEUES}

LEAST: Final[dict[str, dict[str, Any]]] = {
    "device.failed": {"deviceId": "d1", "reason": "Docker container crashed"},
    "device.deleted": {"deviceId": "d1"},
    "device.status_changed": {"deviceId": "d1", "oldStatus": "running", "newStatus": "stopped"},
    "device.maintenance": {"deviceId": "d1", "maintenanceType": "系统升级"},
    "device.created": {"deviceId": "d1"},
    "user.deleted": {"userId": "u1"},
    "user.suspended": {"userId": "u1", "reason": "违反服务条款"},
    "user.quota_updated": {"userId": "u1", "newQuota": {"maxDevices": 5}},
    "user.quota_exceeded": {"userId": "u1", "quotaType": "devices", "current": 9, "limit": 1},
    "user.activated": {"userId": "u1"},
    "billing.payment_failed": {"userId": "u1", "amount": 100, "reason": "余额不足"},
    "billing.balance_low": {"userId": "u1", "currentBalance": 8.5, "threshold": 20},
    "billing.overdue": {"userId": "u1", "overdueAmount": 150.50, "overdueDays": 7},
    "billing.payment_success": {"userId": "u1", "amount": 100, "newBalance": 250},
    "billing.recharged": {"userId": "u1", "amount": 200, "newBalance": 450},
}
"""The smallest valid body of each event; about user ``u1`` or device ``d1``."""

_numbers = count(1)


def message(
    event_type: str,
    *,
    id: str | None = "",  # noqa: A002 - reads best where it is called
    at: datetime | None = None,
    body: bytes | None = None,
    headers: dict[str, Any] | None = None,
    redelivered: bool = False,
    **fields: object,
) -> Message:
    """Return a message in the queue of its event.

    Args:
        event_type: e.g. ``device.failed``.
        id: its AMQP message id; a new one if not given, none at all if None.
        at: the body's ``timestamp``; without it the event happens when it is received.
        body: the raw body, instead of `LEAST` and ``fields``.
        headers: AMQP headers, decoded.
        redelivered: whether the broker says that it was delivered before.
        **fields: fields of the body, over those of `LEAST`.
    """
    if at is not None:
        fields["timestamp"] = at.isoformat()
    properties: dict[str, Any] = {"content_type": "application/json"}
    if id is not None:
        properties["message_id"] = id or f"message-{next(_numbers)}"
    if headers is not None:
        properties["headers"] = headers
    raw = body if body is not None else encoded(LEAST[event_type] | fields)
    return Message(QUEUE_OF[event_type], raw, properties, redelivered=redelivered)


def encoded(body: object) -> bytes:
    """Return the JSON of a body."""
    return json.dumps(body, ensure_ascii=False).encode()


def mq_event(*messages: Message) -> dict[str, Any]:
    """Return the event with which Amazon MQ invokes a function for these messages."""
    queues: dict[str, list[Any]] = {}
    for one in messages:
        queues.setdefault(f"{one.queue}::{VHOST}", []).append(record(one))
    return {"eventSource": "aws:rmq", "eventSourceArn": "arn:", "rmqMessagesByQueue": queues}


def record(message: Message) -> dict[str, Any]:
    """Return the record of one message, made by the local event source mapping's own code."""
    raw = record_json(
        BasicProperties(**message.properties), message.body, redelivered=message.redelivered
    )
    decoded: dict[str, Any] = json.loads(raw)
    return decoded
