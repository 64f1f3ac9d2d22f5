"""Events as other services publish them, and the Amazon MQ events that carry them."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from pika import BasicProperties

from events.bodies import SMALLEST
from local.event_source_mapping.record import record_json
from scheduler.messaging.message import Message
from scheduler.messaging.topology import VHOST, WORK_QUEUES

if TYPE_CHECKING:
    from datetime import datetime

EVENT_TYPES: Final = tuple(queue.event_type for queue in WORK_QUEUES)
QUEUE_OF: Final = {queue.event_type: queue.name for queue in WORK_QUEUES}

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
        body: the raw body, instead of `SMALLEST` and ``fields``.
        headers: AMQP headers, decoded.
        redelivered: whether the broker says that it was delivered before.
        **fields: fields of the body, over those of `SMALLEST`.
    """
    if at is not None:
        fields["timestamp"] = at.isoformat()
    properties: dict[str, Any] = {"content_type": "application/json"}
    if id is not None:
        properties["message_id"] = id or f"message-{next(_numbers)}"
    if headers is not None:
        properties["headers"] = headers
    raw = body if body is not None else encoded(SMALLEST[event_type] | fields)
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
