"""A RabbitMQ message as a record of an Amazon MQ event.

The format is documented in docs.aws.amazon.com/lambda/latest/dg/with-mq.html by an example with
numbers, strings as ``{"bytes": […]}`` and ``Jan 1, 1970, 12:33:41 AM``. This is Gson's default
output for the objects of RabbitMQ's Java client, which determines the cases that the example does
not show: bytes are signed, a header timestamp is a ``java.util.Date``, tables and arrays nest,
absent properties and headers are null. Two recorded events confirm this:
`rabbitmq-private-lambda-java-sam` in aws-samples/serverless-patterns (all properties set) and the
Amazon MQ example of aws-samples/aws-cdk-examples (all properties null, ``redelivered`` true).
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pika import BasicProperties

BROKER_ARN: Final = (
    "arn:aws:mq:us-east-1:000000000000:broker:cloudphone-local:"
    "b-00000000-0000-0000-0000-000000000000"
)
_GREGORIAN_CYCLE_YEARS: Final = 400
_GREGORIAN_CYCLE_SECONDS: Final = 146_097 * 86_400
_NOON: Final = 12
# Not strftime("%b"), whose names depend on the locale.
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def event_json(queue: str, vhost: str, records: Iterable[bytes]) -> bytes:
    """Return the invocation event for a batch of records, which are JSON already."""
    key = json.dumps(f"{queue}::{vhost}").encode()
    head = b'{"eventSource":"aws:rmq","eventSourceArn":"%b","rmqMessagesByQueue":{%b:['
    return head % (BROKER_ARN.encode(), key) + b",".join(records) + b"]}}"


def record_json(properties: BasicProperties, body: bytes, *, redelivered: bool) -> bytes:
    """Return a message as the JSON of a record."""
    record = {
        "basicProperties": {
            "contentType": _text(properties.content_type),
            "contentEncoding": _text(properties.content_encoding),
            "headers": _value(properties.headers),
            "deliveryMode": properties.delivery_mode,
            "priority": properties.priority,
            "correlationId": _text(properties.correlation_id),
            "replyTo": _text(properties.reply_to),
            "expiration": _text(properties.expiration),
            "messageId": _text(properties.message_id),
            "timestamp": None if properties.timestamp is None else java_date(properties.timestamp),
            "type": _text(properties.type),
            "userId": _text(properties.user_id),
            "appId": _text(properties.app_id),
            "clusterId": _text(properties.cluster_id),
            "bodySize": len(body),
        },
        "redelivered": redelivered,
        "data": base64.b64encode(body).decode("ascii"),
    }
    return json.dumps(record, separators=(",", ":")).encode("ascii")


def java_date(seconds: int) -> str:
    """Return a Unix time as Gson writes a ``java.util.Date``, in UTC and US English.

    AMQP timestamps exceed Python's range of years; the Gregorian calendar repeats every 400 years.
    """
    cycles, rest = divmod(seconds, _GREGORIAN_CYCLE_SECONDS)
    time = datetime.fromtimestamp(rest, UTC)
    year = time.year + cycles * _GREGORIAN_CYCLE_YEARS
    clock = f"{time.hour % 12 or 12}:{time:%M:%S} {'PM' if time.hour >= _NOON else 'AM'}"
    return f"{_MONTHS[time.month - 1]} {time.day}, {year}, {clock}"


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _value(value: Any) -> Any:  # noqa: ANN401 - any AMQP field value
    match value:
        case str():
            converted: Any = _signed_bytes(value.encode("utf-8", "surrogatepass"))
        case bytes():  # a string that is not UTF-8; pika cannot distinguish it from a byte array
            converted = _signed_bytes(value)
        case dict():
            converted = {_text(key): _value(inner) for key, inner in value.items()}
        case list():
            converted = [_value(inner) for inner in value]
        case datetime():
            converted = java_date(int(value.timestamp()))
        case Decimal():
            converted = float(value)
        case _:
            converted = value
    return converted


def _signed_bytes(raw: bytes) -> dict[str, list[int]]:
    return {"bytes": [byte - 256 if byte > 127 else byte for byte in raw]}  # noqa: PLR2004 - the largest signed byte
