"""The AsyncAPI document (3.0): https://www.asyncapi.com/docs/reference/specification/v3.0.0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from events.contracts.broker import DEAD_LETTER_HEADERS, EXCHANGE, HEADERS
from events.contracts.documented import documented_events, plain
from events.contracts.produced import EXAMPLES, PRODUCED
from events.contracts.schemas import schema_of
from scheduler.messaging.topology import (
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    VHOST,
)
from scheduler.version import VERSION

if TYPE_CHECKING:
    from events.contracts.documented import DocumentedEvent
    from events.contracts.produced import ProducedEvent

_ABOUT: Final = """\
The events that CloudPhone Scheduler consumes and publishes, on the durable topic exchange
`cloudphone.events`. The routing key is the event type. Publish with a `message_id`,
`delivery_mode` 2, confirms and `mandatory`. A body that violates its schema becomes a dead letter,
whose header `x-error` says why; `scheduler-ops validate` says it before.
"""
_AMQP: Final = "0.3.0"


def document() -> dict[str, Any]:
    """Return the document."""
    consumed = documented_events()
    messages = {one.type: _consumed_message(one) for one in consumed}
    messages |= {one.event_type: _produced_message(one) for one in PRODUCED}
    messages["deadLetter"] = {
        "name": "deadLetter",
        "title": "A message that could not be applied",
        "summary": "Body and properties are those of the event.",
        "headers": DEAD_LETTER_HEADERS,
        "payload": {"description": "The body as it was published."},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "CloudPhone Scheduler", "version": VERSION, "description": _ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "{broker}:5671",
                "protocol": "amqps",
                "pathname": f"/{VHOST}",
                "description": f"RabbitMQ (Amazon MQ), virtual host `{VHOST}`.",
                "variables": {"broker": {"description": "The host of the broker."}},
            }
        },
        "channels": {
            **{name: _event_channel(name) for name in messages if name != "deadLetter"},
            "deadLetters": _dead_letter_channel(),
        },
        "operations": {
            **{f"receive:{one.type}": _operation("receive", one.type) for one in consumed},
            **{f"send:{one.event_type}": _operation("send", one.event_type) for one in PRODUCED},
            "send:deadLetter": _operation("send", "deadLetter", "deadLetters"),
        },
        "components": {"messages": messages},
    }


def _consumed_message(event: DocumentedEvent) -> dict[str, Any]:
    schema = schema_of(event.contract, event.type, [event.smallest])
    return _message(event.type, schema, event.fullest) | {
        "summary": event.meaning,
        "description": f"Effect: {event.effect}",
        "headers": HEADERS,
        "x-critical": event.contract.critical,
        "x-queue": event.queue.name,
        "x-notifies": {kind.key: list(map(str, kind.channels)) for kind in event.notifies},
    }


def _produced_message(event: type[ProducedEvent]) -> dict[str, Any]:
    name = event.event_type
    schema = schema_of(event, name, [])
    return _message(name, schema, EXAMPLES[name]) | {"summary": plain(event.__doc__)}


def _message(name: str, schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    payload = {key: value for key, value in schema.items() if not key.startswith("$")}
    return {
        "name": name,
        "title": name,
        "payload": payload,
        "examples": [{"name": name.replace(".", "-"), "payload": example}],
        "bindings": {
            "amqp": {
                "contentEncoding": "utf-8",
                "messageType": name,
                "bindingVersion": _AMQP,
            }
        },
    }


def _event_channel(name: str) -> dict[str, Any]:
    return {
        "address": name,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": EXCHANGE,
                "bindingVersion": _AMQP,
            }
        },
    }


def _dead_letter_channel() -> dict[str, Any]:
    queue = {"name": DEAD_LETTER_QUEUE, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": DEAD_LETTER_QUEUE,
        "description": f"Bound to the exchange `{DEAD_LETTER_EXCHANGE}`.",
        "messages": {"deadLetter": {"$ref": "#/components/messages/deadLetter"}},
        "bindings": {
            "amqp": {"is": "queue", "queue": queue | {"vhost": VHOST}, "bindingVersion": _AMQP}
        },
    }


def _operation(action: str, message: str, channel: str | None = None) -> dict[str, Any]:
    channel = channel or message
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }
