"""Wraps a message for its retry queue or the dead letters: routing key, properties, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scheduler.messaging.amqp import fit_in_frame
from scheduler.messaging.message import ATTEMPT_HEADER
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_EXCHANGE, WORK_QUEUE_BY_NAME, WorkQueue
from scheduler.pipeline.settle import Settled, Settlement

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.messaging.message import Message

ERROR_HEADER: Final = "x-error"
FAILED_HEADER: Final = "x-failed-at"
FIRST_FAILED_HEADER: Final = "x-first-failed-at"
SOURCE_HEADER: Final = "x-source-queue"
_MAX_ERROR: Final = 1000
_MAX_SHORT_TEXT: Final = 255
_UNKNOWN_QUEUE_KEY: Final = "scheduler.unknown-queue.failed"


def outbound_message(settled: Settled, now: datetime) -> OutboundMessage | None:
    """Return what must be published before the batch is acknowledged; None if nothing."""
    message = settled.outcome.message
    match settled.settlement:
        case Settlement.RETRIED:
            return _retry(message, settled.next_attempt, now)
        case Settlement.DEAD_LETTERED | Settlement.INVALID:
            return _dead_letter(message, settled.outcome.error, now)
    return None


def _retry(message: Message, attempt: int, now: datetime) -> OutboundMessage:
    headers = {ATTEMPT_HEADER: attempt, FIRST_FAILED_HEADER: _first_failed(message, now)}
    queue = WorkQueue(WORK_QUEUE_BY_NAME[message.queue].event_type, message.shard)
    return OutboundMessage("", queue.retry_name, message.body, _properties(message, headers))


def _dead_letter(message: Message, error: str, now: datetime) -> OutboundMessage:
    headers = {
        ATTEMPT_HEADER: message.attempt,
        ERROR_HEADER: error[:_MAX_ERROR],
        FAILED_HEADER: now.isoformat(),
        FIRST_FAILED_HEADER: _first_failed(message, now),
        SOURCE_HEADER: message.queue[:_MAX_SHORT_TEXT],
    }
    queue = WORK_QUEUE_BY_NAME.get(message.queue)
    key = queue.dead_letter_key if queue else _UNKNOWN_QUEUE_KEY
    return OutboundMessage(DEAD_LETTER_EXCHANGE, key, message.body, _properties(message, headers))


def _first_failed(message: Message, now: datetime) -> str:
    first = message.headers.get(FIRST_FAILED_HEADER)
    if isinstance(first, str) and 0 < len(first) <= _MAX_SHORT_TEXT:
        return first
    return now.isoformat()


def _properties(message: Message, headers: dict[str, Any]) -> dict[str, Any]:
    properties = {**message.properties, "headers": {**fit_in_frame(message.headers), **headers}}
    if message.sent_at:
        properties["timestamp"] = int(message.sent_at.timestamp())
    return properties
