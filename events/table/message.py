"""What a sample is made of: messages as their publishers sent them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

from pika import BasicProperties

from scheduler.messaging.topology import WORK_QUEUES

QUEUE_OF: Final = {queue.event_type: queue.name for queue in WORK_QUEUES}
PERSISTENT: Final = 2


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and the queue it lies in."""

    queue: str
    body: bytes
    properties: BasicProperties


@dataclass(frozen=True, slots=True)
class Sample:
    """One file: its name without ending, what it shows, and what is in it.

    ``dead_letters`` says how many of its messages end there; all others are done.
    """

    name: str
    meaning: str
    queues: tuple[str, ...]
    deliveries: tuple[Delivery, ...]
    dead_letters: int = 0

    @property
    def family(self) -> str:
        """Return the family of the function that receives it: device, user or billing."""
        return self.queues[0].removeprefix("scheduler.").partition("-")[0]


def sample(name: str, meaning: str, *deliveries: Delivery, dead_letters: int = 0) -> Sample:
    """Return the sample of these deliveries, at least one."""
    queues = tuple(dict.fromkeys(delivery.queue for delivery in deliveries))
    return Sample(name, meaning, queues, deliveries, dead_letters)


def delivery(
    event_type: str, body: bytes | dict[str, Any], properties: BasicProperties | None = None
) -> Delivery:
    """Return a message in its event's queue; a dict becomes JSON, properties are the usual ones."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Delivery(QUEUE_OF[event_type], raw, properties or usual_properties(event_type, raw))


def usual_properties(event_type: str, body: bytes) -> BasicProperties:
    """Return what the platform's services set. Ids follow from the body: files stay the same."""
    return BasicProperties(
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=PERSISTENT,
        correlation_id=_uuid("request", body),
        message_id=_uuid("message", body),
        type=event_type,
        app_id=f"{event_type.partition('.')[0]}-service",
    )


def _uuid(what: str, body: bytes) -> str:
    return str(uuid5(NAMESPACE_DNS, f"{what} {body.hex()}"))
