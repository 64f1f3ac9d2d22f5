"""A dead letter and the data in its headers.

The functions set headers with the error (`scheduler.pipeline.envelope`). A message that the broker
dead-lettered itself, for example at the delivery limit, only has ``x-death``, a list with the
newest event first (https://www.rabbitmq.com/docs/dlx#effects).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from scheduler.messaging.message import (
    ATTEMPT_HEADER,
    FIRST_FAILED_HEADER,
    RECEIVED_HEADER,
    Message,
    known_id,
)
from scheduler.messaging.topology import (
    WORK_QUEUE_BY_NAME,
    WORK_QUEUES,
    WorkQueue,
    event_queue,
)
from scheduler.pipeline.envelope import ERROR_HEADER, FAILED_HEADER, SOURCE_HEADER

if TYPE_CHECKING:
    from pika import BasicProperties

REPLAYS_HEADER: Final = "x-replays"
FAILURE_HEADERS: Final = frozenset(
    (ATTEMPT_HEADER, ERROR_HEADER, FAILED_HEADER, FIRST_FAILED_HEADER, SOURCE_HEADER)
)
"""The headers that the functions add to a failed message."""
_DEATHS_HEADER: Final = "x-death"
_MAX_MILLISECONDS: Final = 253_402_300_800_000
"""The year 10000, which `datetime` cannot represent."""
_MAX_COUNT: Final = 1 << 31
"""Larger counts can only come from a malicious publisher."""
_MAX_ERROR: Final = 1000
"""Characters of an error, as the functions cut it; a publisher may have set a longer header."""
_MAX_NAME: Final = 255
"""Characters of a queue's name; likewise."""
_UNKNOWN: Final = "unknown"
_EVENTS: Final = frozenset(queue.event_type for queue in WORK_QUEUES)
_QUEUE_OF_KEY: Final = {queue.dead_letter_key: queue.name for queue in WORK_QUEUES}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in the dead-letter queue; ``routing_key`` is the one of its dead-lettering."""

    routing_key: str
    properties: BasicProperties
    body: bytes

    @property
    def headers(self) -> dict[str, Any]:
        """Return the AMQP headers; never None."""
        return self.properties.headers or {}

    @property
    def id(self) -> str:
        """Return the AMQP message id, else the id by which the timeline and the logs know it."""
        return _text(self.properties.message_id) or self.stored_id

    @property
    def stored_id(self) -> str:
        """Return the id by which the timeline and the logs know the message."""
        about = {"message_id": _text(self.properties.message_id), "headers": self.headers}
        return known_id(Message(self.source_queue, self.body, about))

    @property
    def source_queue(self) -> str:
        """Return the name of the queue in which the message failed, as far as known.

        The routing key has precedence over the header: only the functions and the broker set it,
        while a publisher may have set the header.
        """
        return _QUEUE_OF_KEY.get(self.routing_key) or queue_name(
            _text(self.headers.get(SOURCE_HEADER))[:_MAX_NAME]
            or _text(self._death.get("queue"))
            or self.routing_key
            or _UNKNOWN
        )

    @property
    def has_work_queue(self) -> bool:
        """Return whether that is a queue of ours; others put letters into the queue as well."""
        return self.source_queue in WORK_QUEUE_BY_NAME

    @property
    def error(self) -> str:
        """Return why the message failed."""
        error = _text(self.headers.get(ERROR_HEADER))
        if error and not error.isspace():
            return error[:_MAX_ERROR]
        if reason := _text(self._death.get("reason")):
            return f"dead-lettered by the broker: {reason}"
        return "unknown error"

    @property
    def failed_at(self) -> datetime | None:
        """Return when the message became a dead letter, in UTC; None if unknown."""
        return _moment(self.headers.get(FAILED_HEADER)) or _moment(self._death.get("time"))

    @property
    def received_at(self) -> datetime | None:
        """Return when the message was first received, in UTC; None if unknown.

        Letters without the header, for example those that the broker dead-lettered, were received
        before they failed.
        """
        value = self.headers.get(RECEIVED_HEADER)
        if isinstance(value, int) and 0 < value < _MAX_MILLISECONDS:
            return datetime.fromtimestamp(value / 1000, UTC)
        return _moment(self.headers.get(FIRST_FAILED_HEADER)) or self.failed_at

    @property
    def attempt(self) -> int:
        """Return the number of failed attempts before the last one."""
        return _count(self.headers.get(ATTEMPT_HEADER))

    @property
    def replays(self) -> int:
        """Return the number of replays."""
        return _count(self.headers.get(REPLAYS_HEADER))

    @property
    def fingerprint(self) -> bytes:
        """Return a hash that identifies this letter, and changes when the message fails again."""
        about = (self.id, self.source_queue, self.headers.get(FAILED_HEADER), self.replays)
        return hashlib.sha256(repr(about).encode() + b"\0" + self.body).digest()

    @property
    def _death(self) -> dict[str, Any]:
        """Return the newest entry of x-death for a work queue, as retry queues add entries too."""
        listed = self.headers.get(_DEATHS_HEADER)
        deaths = [one for one in listed if isinstance(one, dict)] if listed else []
        ours = (one for one in deaths if queue_name(_text(one.get("queue"))) in WORK_QUEUE_BY_NAME)
        return next(ours, deaths[0] if deaths else {})


def queue_name(given: str) -> str:
    """Return the work queue that an event type or the name of a shard means; others unchanged."""
    return WorkQueue(given).name if given in _EVENTS else event_queue(given)[0]


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < _MAX_COUNT else 0


def _moment(value: object) -> datetime | None:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
