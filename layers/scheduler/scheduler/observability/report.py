"""Tells operators what became of a batch: one log line per message, one set of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from scheduler.messaging.topology import WORK_QUEUE_BY_NAME, WorkQueue
from scheduler.observability.emf import Metrics, Unit
from scheduler.pipeline.outcome import Verdict
from scheduler.pipeline.settle import Settled, Settlement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scheduler.messaging.message import Message

logger: Final = Logger()

_LEVELS: Final = {
    Settlement.RETRIED: logger.warning,
    Settlement.INVALID: logger.error,
    Settlement.DEAD_LETTERED: logger.error,
    Settlement.ERROR: logger.error,
}


def report(batch: Sequence[Settled], seconds: float, now: datetime) -> None:
    """Log every message and write the metrics of a batch of one queue.

    Args:
        batch: what became of each message.
        seconds: how long the whole batch took.
        now: the time of the metrics.
    """
    metrics = Metrics()
    for settled in batch:
        _log(settled)
        event_type = _event_type(settled.outcome.message.queue)
        metrics.add(
            "scheduler_event_consumed_total",
            1,
            event_type=event_type,
            status=settled.settlement,
        )
        if settled.outcome.verdict is Verdict.HELD:
            metrics.add("scheduler_mass_failure_held_total", 1)
        for reason in settled.outcome.released:
            metrics.add("scheduler_auto_release_total", 1, reason=reason)
    if batch:
        metrics.add("scheduler_batch_size", len(batch))
        metrics.add("scheduler_batches_total", 1, queue=_queue(batch[0].outcome.message))
        metrics.add(
            "scheduler_event_processing_duration_seconds",
            seconds,
            Unit.SECONDS,
            event_type=_event_type(batch[0].outcome.message.queue),
        )
    metrics.flush(now)


def _log(settled: Settled) -> None:
    outcome = settled.outcome
    message, parsed = outcome.message, outcome.parsed
    event_type = _event_type(message.queue)
    details: dict[str, Any] = {
        "event_type": event_type,
        "outcome": settled.settlement.value,
        "message_id": parsed.identity.id if parsed else message.properties.get("message_id"),
        "correlation_id": message.properties.get("correlation_id"),
        "attempt": message.attempt,
        "released": len(outcome.released),
        "notifications": outcome.notified,
    }
    if parsed:
        details[f"{parsed.event.aggregate}_id"] = parsed.event.subject_id
    if settled.settlement is Settlement.ERROR:
        # The message is acknowledged: this line is all that remains of it.
        details["payload"] = message.body.decode("utf-8", "replace")
    text = "; ".join(filter(None, (f"Received {event_type}", *outcome.remarks, outcome.error)))
    _LEVELS.get(settled.settlement, logger.info)(text, extra=details)


def _queue(message: Message) -> str:
    event_type = _event_type(message.queue)
    known = message.queue in WORK_QUEUE_BY_NAME
    return WorkQueue(event_type, message.shard).name if known else event_type


def _event_type(queue: str) -> str:
    work_queue = WORK_QUEUE_BY_NAME.get(queue)
    return work_queue.event_type if work_queue else "unknown"
