"""How each message is settled: the table of the broker contract, and the publishing.

Returning from the function acknowledges the whole batch, so whatever was not done must be
somewhere durable before: in a retry queue or among the dead letters.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.messaging.amqp import fitting
from scheduler.messaging.message import ATTEMPT_HEADER
from scheduler.messaging.publisher import Outbound
from scheduler.messaging.topology import DEAD_LETTER_EXCHANGE, WORK_QUEUE_BY_NAME, WorkQueue
from scheduler.pipeline.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.messaging.message import Message

ERROR_HEADER: Final = "x-error"
FAILED_HEADER: Final = "x-failed-at"
FIRST_FAILED_HEADER: Final = "x-first-failed-at"
SOURCE_HEADER: Final = "x-source-queue"
_MAX_ERROR: Final = 1000
_SHORT: Final = 255
_UNKNOWN_QUEUE_KEY: Final = "scheduler.unknown-queue.failed"


class Settlement(StrEnum):
    """What happens to a message; the value is its label in metrics and logs."""

    SUCCESS = "success"
    DUPLICATE = "duplicate"
    OUTDATED = "outdated"
    INVALID = "invalid"
    RETRIED = "retried"
    DEAD_LETTERED = "dead_lettered"
    ERROR = "error"


_BY_VERDICT: Final = {
    Verdict.DONE: Settlement.SUCCESS,
    Verdict.DUPLICATE: Settlement.DUPLICATE,
    Verdict.OUTDATED: Settlement.OUTDATED,
    Verdict.INVALID: Settlement.INVALID,
    Verdict.CONFLICT: Settlement.DEAD_LETTERED,
    Verdict.KILLER: Settlement.DEAD_LETTERED,
    Verdict.PARKED: Settlement.RETRIED,
    Verdict.HELD: Settlement.RETRIED,
}
_COSTS_NO_ATTEMPT: Final = {Verdict.PARKED, Verdict.HELD}


class Settled(NamedTuple):
    """An outcome with what happens to its message."""

    outcome: Outcome
    settlement: Settlement


def settle(outcome: Outcome, max_retries: int) -> Settled:
    """Decide what happens to a message, given how often it may be tried again."""
    return Settled(outcome, _BY_VERDICT.get(outcome.verdict) or _failed(outcome, max_retries))


def _failed(outcome: Outcome, max_retries: int) -> Settlement:
    if outcome.parsed and not outcome.parsed.event.critical:
        return Settlement.ERROR
    if outcome.message.attempt < max_retries:
        return Settlement.RETRIED
    return Settlement.DEAD_LETTERED


def outbound(settled: Settled, now: datetime) -> Outbound | None:
    """Return what must be published before the batch is acknowledged; None if nothing."""
    message = settled.outcome.message
    match settled.settlement:
        case Settlement.RETRIED:
            spent = settled.outcome.verdict not in _COSTS_NO_ATTEMPT
            return _retry(message, message.attempt + spent, now)
        case Settlement.DEAD_LETTERED | Settlement.INVALID:
            return _dead_letter(message, settled.outcome.error, now)
    return None


def _retry(message: Message, attempt: int, now: datetime) -> Outbound:
    headers = {ATTEMPT_HEADER: attempt, FIRST_FAILED_HEADER: _first(message, now)}
    queue = WorkQueue(WORK_QUEUE_BY_NAME[message.queue].event_type, message.shard)
    return Outbound("", queue.retry_name, message.body, _properties(message, headers))


def _dead_letter(message: Message, error: str, now: datetime) -> Outbound:
    headers = {
        ATTEMPT_HEADER: message.attempt,
        ERROR_HEADER: error[:_MAX_ERROR],
        FAILED_HEADER: now.isoformat(),
        FIRST_FAILED_HEADER: _first(message, now),
        SOURCE_HEADER: message.queue[:_SHORT],
    }
    queue = WORK_QUEUE_BY_NAME.get(message.queue)
    key = queue.dead_letter_key if queue else _UNKNOWN_QUEUE_KEY
    return Outbound(DEAD_LETTER_EXCHANGE, key, message.body, _properties(message, headers))


def _first(message: Message, now: datetime) -> str:
    first = message.headers.get(FIRST_FAILED_HEADER)
    return first if isinstance(first, str) and 0 < len(first) <= _SHORT else now.isoformat()


def _properties(message: Message, headers: dict[str, Any]) -> dict[str, Any]:
    properties = {**message.properties, "headers": {**fitting(message.headers), **headers}}
    if message.sent_at:
        properties["timestamp"] = int(message.sent_at.timestamp())
    return properties
