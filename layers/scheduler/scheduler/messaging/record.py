"""Decodes the records of an Amazon MQ event.

For their shape see https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html. Powertools'
RabbitMQEvent raises on absent properties and does not decode headers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from scheduler.messaging import amqp
from scheduler.messaging.message import Message
from scheduler.messaging.topology import event_queue

_TEXTS: Final = {
    "contentType": "content_type",
    "contentEncoding": "content_encoding",
    "correlationId": "correlation_id",
    "replyTo": "reply_to",
    "messageId": "message_id",
    "type": "type",
    "appId": "app_id",
}
# Not kept: expiration (a dead letter must not expire), userId (the broker accepts only that of the
# publishing connection; it becomes `Message.amqp_user`), clusterId and deliveryMode (set when
# publishing).

_FIRST_AMQP_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)

# With CC or BCC, the broker would also route each retry and dead letter to those queues.
_BROKER_HEADERS: Final = frozenset({"x-delivery-count", "x-death", "x-acquired-count", "CC", "BCC"})
# The broker accepts it only from the connection that consumes the replies.
_DIRECT_REPLY: Final = "amq.rabbitmq.reply-to"
_BROKER_HEADER_PREFIXES: Final = ("x-first-death-", "x-last-death-")


class Undecodable(NamedTuple):
    """A malformed record; ``message`` carries what could be read of it."""

    message: Message
    reason: str


def decode(event: object) -> Iterator[tuple[str, list[Message | Undecodable]]]:
    """Yield each queue of an aws:rmq event with its messages, in order.

    A shard is yielded under the name of its event's first queue. Never raises: malformed records
    become `Undecodable`.
    """
    queues = event.get("rmqMessagesByQueue") if isinstance(event, Mapping) else None
    if not isinstance(queues, Mapping):
        return
    for name, records in queues.items():
        queue, shard = event_queue(amqp.encodable(str(name)).partition("::")[0])
        listed = records if isinstance(records, Sequence) else []
        yield queue, [_decode_record(queue, shard, record) for record in listed]


def _decode_record(queue: str, shard: int, record: object) -> Message | Undecodable:
    if not isinstance(record, Mapping):
        kept = Message(queue, _representation(record), {}, shard=shard)
        return Undecodable(kept, "the record is not an object")
    properties = record.get("basicProperties")
    properties = properties if isinstance(properties, Mapping) else {}
    body, reason = _decode_body(record.get("data"))
    message = Message(
        queue,
        body,
        _decode_properties(properties),
        _java_date(properties.get("timestamp")),
        record.get("redelivered") is True,
        shard,
        amqp.short_text(properties.get("userId")),
    )
    return Undecodable(message, reason) if reason else message


def _decode_body(data: object) -> tuple[bytes, str]:
    if not isinstance(data, str):
        return _representation(data), "the record has no data"
    try:
        return base64.b64decode(data, validate=True), ""
    except (binascii.Error, ValueError):
        return data.encode("utf-8", "backslashreplace"), "the record's data is not base64"


def _representation(value: object) -> bytes:
    try:
        return repr(value).encode()
    except RecursionError:
        return b"(nested too deep)"


def _decode_properties(raw: Mapping[str, Any]) -> dict[str, Any]:
    texts = {ours: amqp.short_text(raw.get(theirs)) for theirs, ours in _TEXTS.items()}
    decoded: dict[str, Any] = {name: text for name, text in texts.items() if text is not None}
    if (priority := amqp.priority(raw.get("priority"))) is not None:
        decoded["priority"] = priority
    if decoded.get("reply_to", "").startswith(_DIRECT_REPLY):
        del decoded["reply_to"]
    headers = raw.get("headers")
    if isinstance(headers, Mapping):
        kept = {key: value for key, value in headers.items() if not is_set_by_broker(key)}
        decoded["headers"] = amqp.headers(kept)
    return decoded


def is_set_by_broker(header: object) -> bool:
    """Return whether the broker sets a header, so that it must not be published again."""
    name = str(header)
    return name in _BROKER_HEADERS or name.startswith(_BROKER_HEADER_PREFIXES)


def _java_date(text: object) -> datetime | None:
    """Parse ``Jan 1, 1970, 12:33:41 AM``; newer JDKs write a narrow no-break space before AM."""
    if not isinstance(text, str):
        return None
    try:
        date = " ".join(text.split())
        moment = datetime.strptime(date, "%b %d, %Y, %I:%M:%S %p").replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment if moment >= _FIRST_AMQP_TIME else None
