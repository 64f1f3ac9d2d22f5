"""What other services rely on besides bodies: exchanges, queues, routing keys and headers."""

from __future__ import annotations

from typing import Any, Final

from events.contracts.documented import documented_events
from events.contracts.produced import PRODUCED
from scheduler.messaging.message import (
    ATTEMPT_HEADER,
    FIRST_FAILED_HEADER,
    IDENTITY_HEADER,
    RECEIVED_HEADER,
    UNCLAIMED_BATCH_HEADER,
    USER_HEADER,
)
from scheduler.messaging.topology import (
    EVENTS_EXCHANGE,
    SHARD_KEY_HEADER,
    VHOST,
    queues,
)
from scheduler.pipeline.envelope import ERROR_HEADER, FAILED_HEADER, SOURCE_HEADER

EXCHANGE: Final = {
    "name": EVENTS_EXCHANGE,
    "type": "topic",
    "durable": True,
    "autoDelete": False,
    "vhost": VHOST,
}
"""The exchange of all events."""
_TEXT: Final = {"type": "string"}
HEADERS: Final = {
    "type": "object",
    "properties": {
        SHARD_KEY_HEADER: _TEXT | {"description": "The id of the user or device. Optional."},
    },
}
"""The headers of the messages that are consumed."""
DEAD_LETTER_HEADERS: Final = {
    "type": "object",
    "properties": {
        ERROR_HEADER: _TEXT | {"description": "Why the message could not be applied."},
        SOURCE_HEADER: _TEXT | {"description": "The queue that the message came from."},
        FAILED_HEADER: _TEXT | {"format": "date-time", "description": "When it was given up."},
        FIRST_FAILED_HEADER: _TEXT
        | {"format": "date-time", "description": "When the first attempt failed."},
        ATTEMPT_HEADER: {"type": "integer", "description": "The number of attempts."},
        RECEIVED_HEADER: {
            "type": "integer",
            "description": "The first receipt, in milliseconds since 1970.",
        },
        IDENTITY_HEADER: _TEXT
        | {"description": "The id that a message without `message_id` was given."},
        UNCLAIMED_BATCH_HEADER: _TEXT
        | {"description": "The place in which it could not be given one, without a database."},
        USER_HEADER: _TEXT | {"description": "The publisher: the property `user_id`, if set."},
    },
    "required": [
        ERROR_HEADER,
        SOURCE_HEADER,
        FAILED_HEADER,
        FIRST_FAILED_HEADER,
        ATTEMPT_HEADER,
        RECEIVED_HEADER,
    ],
}
"""Those of dead letters, besides the message's own."""


def broker() -> dict[str, Any]:
    """Return what is on the broker by kind and name: events with their routes, and queues."""
    consumed = {
        one.type: {"queue": one.queue.name, "critical": one.contract.critical}
        for one in documented_events()
    }
    produced: dict[str, dict[str, Any]] = {one.event_type: {} for one in PRODUCED}
    return {
        "event": {
            name: {"routing key": name, "exchange": EXCHANGE, **more}
            for name, more in {**consumed, **produced}.items()
        },
        "queue": {
            one.name: {"binding": list(one.binding or ()), "arguments": one.arguments}
            for one in queues()
        },
    }
