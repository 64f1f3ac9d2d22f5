"""Publishes events like another service: with publisher confirms and ``mandatory``."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from ops import broker
from ops.errors import InvalidInputError, with_progress_in_errors
from scheduler.messaging.amqp import encodable
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import EVENTS_EXCHANGE, SHARD_KEY_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


MAX_BODY_BYTES: Final = 512 * 1024
"""What RabbitMQ 4 on Amazon MQ accepts by default.

docs.aws.amazon.com/amazon-mq/latest/developer-guide/rabbitmq-resource-limits-configuration.html
"""


def message_ids(count: int, given: str | None) -> list[str]:
    """Return an id for each of `count` messages: `given` with a number, else random ids."""
    if given is None:
        return [str(uuid.uuid4()) for _ in range(count)]
    return [given] if count == 1 else [f"{given}-{number}" for number in range(1, count + 1)]


def publish_event(
    broker_url: str, event_type: str, body: bytes, ids: Iterable[str], sent_at: datetime
) -> None:
    """Publish a body once per id and return when the broker has confirmed all messages.

    Raises:
        InvalidInputError: the URL is not an AMQP URL, or the body is too large for Amazon MQ.
        OpsError: the broker cannot be reached or refused a message; the message contains the
            number of messages published before.
    """
    if len(body) > MAX_BODY_BYTES:
        raise InvalidInputError(
            f"the body has {len(body)} bytes; Amazon MQ accepts at most {MAX_BODY_BYTES}"
        )
    done = 0
    with (
        with_progress_in_errors(lambda: f"{done} published before" if done else ""),
        broker.connected(broker_url) as connection,
    ):
        channel = broker.confirming_channel(connection)
        for message_id in ids:
            properties = _properties(event_type, message_id, sent_at) | shard_key(event_type, body)
            message = OutboundMessage(EVENTS_EXCHANGE, event_type, body, properties)
            broker.publish_confirmed(channel, message)
            done += 1


def shard_key(event_type: str, body: bytes) -> dict[str, Any]:
    """Return the header that assigns an event to one of its shards.

    Empty if the body names no user or device; such a body is for the functions to reject.
    """
    field = "deviceId" if event_type.startswith("device.") else "userId"
    try:
        subject = json.loads(body)[field]
    except (ValueError, TypeError, LookupError):
        return {}
    if not isinstance(subject, str):
        return {}
    return {"headers": {SHARD_KEY_HEADER: encodable(subject)}}


def _properties(event_type: str, message_id: str, sent_at: datetime) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "timestamp": int(sent_at.timestamp()),
        "type": event_type,
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "app_id": "scheduler-ops",
    }
