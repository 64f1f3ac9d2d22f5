"""Publishes events like another service: with publisher confirms and ``mandatory``."""

from __future__ import annotations

import uuid
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Base64Bytes, Field

from operations import broker
from operations.context import Arguments, OperationContext
from operations.errors import InvalidInputError, with_progress_in_errors
from operations.event_bodies import refuse_unknown_fields, validate
from scheduler.messaging.amqp import encodable, short_text
from scheduler.messaging.body import InvalidBodyError, read_body
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import EVENTS_EXCHANGE, SHARD_KEY_HEADER, subject_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

MAX_BODY_BYTES: Final = 512 * 1024
"""What RabbitMQ 4 on Amazon MQ accepts by default.

docs.aws.amazon.com/amazon-mq/latest/developer-guide/rabbitmq-resource-limits-configuration.html
"""
MAX_IDS: Final = 1000
"""Messages per call."""


def _short(text: str) -> str:
    if short_text(text) is None:
        raise ValueError("must be Unicode of at most 255 bytes, the limit of AMQP")
    return text


_ShortText = Annotated[str, AfterValidator(_short)]


class PublishArguments(Arguments):
    """An event, published once for each id; ``raw`` publishes the body without validation."""

    event_type: _ShortText
    body: Annotated[Base64Bytes, Field(max_length=2 * MAX_BODY_BYTES)]
    ids: list[Annotated[_ShortText, Field(min_length=1)]] = Field(max_length=MAX_IDS)
    raw: bool = False
    allow_unknown: bool = False
    published: int = Field(default=0, ge=0)
    """How many ids earlier calls have published, for messages about errors."""


def publish(context: OperationContext, arguments: PublishArguments) -> dict[str, Any]:
    """Publish an event, and return for how many of the ids, in order, in the time of a call.

    Raises:
        InvalidInputError: the consuming function would not accept the body, or ignore a field.
        OpsError: the broker cannot be reached or refused a message.
    """
    body, event_type = arguments.body, arguments.event_type
    if not arguments.raw:
        validate(event_type, body, context.now)
        if not arguments.allow_unknown:
            refuse_unknown_fields(event_type, body, context.now)
    in_time = takewhile(lambda _: not context.deadline.passed, arguments.ids)
    done = publish_event(
        context.broker_url(), event_type, body, in_time, context.now, arguments.published
    )
    return {"published": done}


def message_ids(count: int, given: str | None) -> list[str]:
    """Return an id for each of `count` messages: `given` with a number, else random ids.

    Raises:
        InvalidInputError: the longest is too long, or it is empty, so that nothing is published.
    """
    if given is None:
        return [str(uuid.uuid4()) for _ in range(count)]
    ids = [given] if count == 1 else [f"{given}-{number}" for number in range(1, count + 1)]
    if not given or short_text(ids[-1]) is None:
        raise InvalidInputError("a message id must be Unicode of 1 to 255 bytes")
    return ids


def publish_event(
    broker_url: str,
    event_type: str,
    body: bytes,
    ids: Iterable[str],
    sent_at: datetime,
    before: int = 0,
    headers: Mapping[str, Any] | None = None,
) -> int:
    """Publish a body once per id, and return how often when the broker has confirmed all.

    ``before`` were published by earlier calls; it is only for messages about errors. ``headers``
    are added to that of the shard.

    Raises:
        InvalidInputError: the URL is not an AMQP URL, or the body is too large for Amazon MQ.
        OpsError: the broker cannot be reached or refused a message; the message contains the
            number of messages published before.
    """
    if len(body) > MAX_BODY_BYTES:
        raise InvalidInputError(
            f"the body has {len(body)} bytes; Amazon MQ accepts at most {MAX_BODY_BYTES}"
        )
    done, given = 0, shard_key(event_type, body).get("headers", {}) | (headers or {})
    more = {"headers": given} if given else {}

    def progress() -> str:
        return f"{before + done} published before" if before + done else ""

    with (
        with_progress_in_errors(progress),
        broker.connected(broker_url) as connection,
    ):
        channel = broker.confirming_channel(connection)
        for message_id in ids:
            properties = _properties(event_type, message_id, sent_at) | more
            message = OutboundMessage(EVENTS_EXCHANGE, event_type, body, properties)
            broker.publish_confirmed(channel, message)
            done += 1
    return done


def shard_key(event_type: str, body: bytes) -> dict[str, Any]:
    """Return the header that assigns an event to one of its shards.

    Empty if the body names no user or device; such a body is for the functions to reject.
    """
    field = subject_field(event_type)
    try:
        subject = read_body(body, field).get(field)
    except InvalidBodyError:
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
