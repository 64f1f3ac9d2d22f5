"""Publishes events as a neighbouring service would, with confirms and ``mandatory``."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pika
from pika import exceptions
from pydantic import ValidationError

from ops.errors import InvalidInputError, OpsError
from scheduler.messaging.publisher import parameters
from scheduler.messaging.topology import EVENTS_EXCHANGE
from scheduler.settings import BrokerSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pika.adapters.blocking_connection import BlockingChannel


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
    settings = _settings(broker_url)
    done = 0
    try:
        with _confirming_channel(settings) as channel:
            for message_id in ids:
                properties = _properties(event_type, message_id, sent_at)
                channel.basic_publish(EVENTS_EXCHANGE, event_type, body, properties, mandatory=True)
                done += 1
    except (exceptions.AMQPError, OSError) as error:
        before = f" ({done} published before)" if done else ""
        raise OpsError(_explain(error, event_type, broker_url) + before) from error


@contextmanager
def _confirming_channel(settings: BrokerSettings) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(parameters(settings))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        if connection.is_open:
            connection.close()


def _settings(broker_url: str) -> BrokerSettings:
    if urlsplit(broker_url).scheme not in ("amqp", "amqps"):
        raise InvalidInputError(
            "the broker URL must look like amqps://user:password@host:5671/vhost"
        )
    try:
        return BrokerSettings.model_validate({"BROKER_URL": broker_url})
    except ValidationError as error:
        raise InvalidInputError(str(error)) from None


def _properties(event_type: str, message_id: str, sent_at: datetime) -> pika.BasicProperties:
    return pika.BasicProperties(
        delivery_mode=pika.DeliveryMode.Persistent,
        message_id=message_id,
        timestamp=int(sent_at.timestamp()),
        type=event_type,
        content_type="application/json",
        content_encoding="utf-8",
        app_id="scheduler-ops",
    )


def _explain(error: BaseException, event_type: str, broker_url: str) -> str:
    url = urlsplit(broker_url)
    broker = f"{url.hostname}:{url.port or ''}{url.path}"
    match error:
        case exceptions.UnroutableError():
            return f"no queue of {broker} receives {event_type}: is the topology declared there?"
        case exceptions.NackError():
            return f"{broker} refused {event_type}: a queue that receives it is full"
        case exceptions.ChannelClosedByBroker():
            return f"{broker} refused {event_type}: {error.reply_text}"
        case exceptions.ProbableAuthenticationError():
            return f"{broker} refused the user name or password"
        case exceptions.ProbableAccessDeniedError():
            return f"{broker} does not let this user into the virtual host {url.path}"
        case _:
            return f"cannot reach the broker at {broker}: {_innermost(error)}"


def _innermost(error: BaseException) -> str:
    """Return the text of the error that pika's connection errors wrap."""
    wrapped = getattr(error, "exception", None) or next(iter(error.args), None)
    if isinstance(wrapped, BaseException):
        return _innermost(wrapped)
    return str(error) or type(error).__name__
