"""Wraps a message for its retry queue or the dead letters: routing key, properties, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scheduler.messaging.amqp import fit_in_frame
from scheduler.messaging.message import (
    ATTEMPT_HEADER,
    FIRST_FAILED_HEADER,
    IDENTITY_HEADER,
    RECEIVED_HEADER,
    USER_HEADER,
    is_given,
    to_milliseconds,
)
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_EXCHANGE, WORK_QUEUE_BY_NAME, WorkQueue
from scheduler.pipeline.settle import Settled, Settlement

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.messaging.message import Message
    from scheduler.pipeline.outcome import Outcome

ERROR_HEADER: Final = "x-error"
FAILED_HEADER: Final = "x-failed-at"
SOURCE_HEADER: Final = "x-source-queue"
_MAX_ERROR: Final = 1000
_MAX_SHORT_TEXT: Final = 255
_UNKNOWN_QUEUE_KEY: Final = "scheduler.unknown-queue.failed"


def outbound_message(settled: Settled, now: datetime) -> OutboundMessage | None:
    """Return what must be published before the batch is acknowledged; None if nothing."""
    match settled.settlement:
        case Settlement.RETRIED:
            return _retry(settled, now)
        case Settlement.DEAD_LETTERED | Settlement.INVALID:
            return _dead_letter(settled.outcome, now)
    return None


def _retry(settled: Settled, now: datetime) -> OutboundMessage:
    message = settled.outcome.message
    headers = {ATTEMPT_HEADER: settled.next_attempt, **_history(settled.outcome, now)}
    queue = WorkQueue(WORK_QUEUE_BY_NAME[message.queue].event_type, message.shard)
    return OutboundMessage("", queue.retry_name, message.body, _properties(message, headers))


def _dead_letter(outcome: Outcome, now: datetime) -> OutboundMessage:
    message = outcome.message
    headers = {
        ATTEMPT_HEADER: message.attempt,
        ERROR_HEADER: outcome.error[:_MAX_ERROR],
        FAILED_HEADER: now.isoformat(),
        **_history(outcome, now),
        SOURCE_HEADER: message.queue[:_MAX_SHORT_TEXT],
    }
    queue = WORK_QUEUE_BY_NAME.get(message.queue)
    key = queue.dead_letter_key if queue else _UNKNOWN_QUEUE_KEY
    return OutboundMessage(DEAD_LETTER_EXCHANGE, key, message.body, _properties(message, headers))


def _history(outcome: Outcome, now: datetime) -> dict[str, Any]:
    """Return headers for later receipts: when the message was first received, and its given id."""
    message, parsed = outcome.message, outcome.parsed
    received_at = parsed.received_at if parsed else message.first_received(now)
    history: dict[str, Any] = {
        RECEIVED_HEADER: to_milliseconds(received_at),
        FIRST_FAILED_HEADER: _first_failed(message, now),
    }
    if message.first_user:
        history[USER_HEADER] = message.first_user
    if parsed and is_given(parsed.identity):
        history[IDENTITY_HEADER] = parsed.identity.id
    return history


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
