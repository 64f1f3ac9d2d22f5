"""Records of an Amazon MQ event, decoded by hand.

Shape: https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html. Powertools' RabbitMQEvent
raises on absent properties and does not decode headers, hence this module.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from scheduler.messaging.message import Message

_PROPERTIES: Final = {
    "contentType": "content_type",
    "contentEncoding": "content_encoding",
    "priority": "priority",
    "correlationId": "correlation_id",
    "replyTo": "reply_to",
    "messageId": "message_id",
    "type": "type",
    "appId": "app_id",
}
# Left out on purpose: expiration (a dead letter must not expire), userId (the broker refuses any
# but the publisher's own), clusterId and deliveryMode (set by whoever publishes).

_BROKER_HEADERS: Final = frozenset({"x-delivery-count", "x-death", "x-acquired-count"})
_BROKER_HEADER_PREFIXES: Final = ("x-first-death-", "x-last-death-")
_MAX_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record that is no message at all; ``message`` carries what can be kept of it."""

    message: Message
    reason: str


def decode(event: object) -> Iterator[tuple[str, list[Message | Undecodable]]]:
    """Yield each queue of an aws:rmq event with its messages, in order.

    Never raises: what is not a message comes out as `Undecodable`.
    """
    queues = event.get("rmqMessagesByQueue") if isinstance(event, Mapping) else None
    if not isinstance(queues, Mapping):
        return
    for name, records in queues.items():
        queue = str(name).partition("::")[0]
        listed = records if isinstance(records, Sequence) else []
        yield queue, [_message(queue, record) for record in listed]


def _message(queue: str, record: object) -> Message | Undecodable:
    if not isinstance(record, Mapping):
        kept = Message(queue, repr(record).encode(), {})
        return Undecodable(kept, "the record is not an object")
    properties = record.get("basicProperties")
    properties = properties if isinstance(properties, Mapping) else {}
    body, reason = _body(record.get("data"))
    message = Message(
        queue,
        body,
        _decode_properties(properties),
        _java_date(properties.get("timestamp")),
        record.get("redelivered") is True,
    )
    return Undecodable(message, reason) if reason else message


def _body(data: object) -> tuple[bytes, str]:
    if not isinstance(data, str):
        return repr(data).encode("utf-8", "backslashreplace"), "the record carries no data"
    try:
        return base64.b64decode(data, validate=True), ""
    except (binascii.Error, ValueError):
        return data.encode("utf-8", "backslashreplace"), "the record's data is not base64"


def _decode_properties(raw: Mapping[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = {
        ours: raw[theirs] for theirs, ours in _PROPERTIES.items() if raw.get(theirs) is not None
    }
    headers = raw.get("headers")
    if isinstance(headers, Mapping):
        decoded["headers"] = {
            str(key): _header(value)
            for key, value in headers.items()
            if key not in _BROKER_HEADERS and not str(key).startswith(_BROKER_HEADER_PREFIXES)
        }
    return decoded


def _header(value: object, depth: int = 0) -> object:
    if depth > _MAX_DEPTH:
        return "(nested too deep)"
    if isinstance(value, Mapping):
        if set(value) == {"bytes"} and isinstance(value["bytes"], Sequence):
            return _text(value["bytes"])
        return {str(key): _header(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_header(inner, depth + 1) for inner in value]
    return value


def _text(signed: Sequence[Any]) -> str | bytes:
    # Java bytes are signed: -28 is 0xE4.
    raw = bytes(byte & 0xFF for byte in signed if isinstance(byte, int))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _java_date(text: object) -> datetime | None:
    """Read ``Jan 1, 1970, 12:33:41 AM``; newer JDKs put a narrow no-break space before AM."""
    if not isinstance(text, str):
        return None
    try:
        date = " ".join(text.split())
        return datetime.strptime(date, "%b %d, %Y, %I:%M:%S %p").replace(tzinfo=UTC)
    except ValueError:
        return None
