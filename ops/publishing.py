"""Publishes events as a neighbouring service would, with confirms and ``mandatory``."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from ops import broker
from ops.errors import telling_what_was_done
from scheduler.messaging.amqp import encodable
from scheduler.messaging.publisher import Outbound
from scheduler.messaging.topology import EVENTS_EXCHANGE, SHARD_KEY_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


def message_ids(count: int, given: str | None) -> list[str]:
    """Return an id for each of `count` messages: numbered ones if `given`, else random ones."""
    if given is None:
        return [str(uuid.uuid4()) for _ in range(count)]
    return [given] if count == 1 else [f"{given}-{number}" for number in range(1, count + 1)]


def publish(
    broker_url: str, event_type: str, body: bytes, ids: Iterable[str], sent_at: datetime
) -> None:
    """Publish a body once under each id and return when the broker has confirmed all of them.

    Raises:
        InvalidInputError: the URL is no AMQP URL.
        OpsError: the broker is away or did not take a message; says how many it took.
    """
    done = 0
    with (
        telling_what_was_done(lambda: f"{done} published before" if done else ""),
        broker.connected(broker_url) as connection,
    ):
        channel = broker.confirming_channel(connection)
        for message_id in ids:
            properties = _properties(event_type, message_id, sent_at) | shard_key(event_type, body)
            broker.publish(channel, Outbound(EVENTS_EXCHANGE, event_type, body, properties))
            done += 1


def shard_key(event_type: str, body: bytes) -> dict[str, Any]:
    """Return the header by which an event's messages are dealt out to its shards.

    Empty when the body names no user or device: the functions have to say what is wrong with it.
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
