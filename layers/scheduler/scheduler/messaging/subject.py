"""The user or device that a message is about, even if its body is invalid; for the timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.domain.guard import Aggregate
from scheduler.messaging.amqp import encodable
from scheduler.messaging.body import InvalidBodyError, read_body
from scheduler.messaging.topology import subject_field

if TYPE_CHECKING:
    from scheduler.messaging.topology import WorkQueue

_MAX_ID: Final = 64


def aggregate_of(queue: WorkQueue) -> Aggregate:
    """Return whether the messages of a queue are about users or devices."""
    return Aggregate.DEVICE if queue.family == "device" else Aggregate.USER


def named_subject(queue: WorkQueue, body: bytes) -> str | None:
    """Return the user or device that a body names; None if it names none."""
    try:
        field = subject_field(queue.event_type)
        named = read_body(body, field).get(field)
    except InvalidBodyError:
        return None
    usable = isinstance(named, str) and 0 < len(named) <= _MAX_ID and encodable(named) == named
    return named if usable else None
