"""Reports a batch to operators: one log line per message, and the metrics of the batch."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from scheduler.messaging.message import IDENTITY_HEADER, is_given
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME, WorkQueue
from scheduler.observability.emf import Metrics, Unit
from scheduler.observability.log_lines import LogLines
from scheduler.observability.logger import service_logger
from scheduler.pipeline.outcome import Verdict
from scheduler.pipeline.settle import Settled, Settlement, settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from scheduler.messaging.message import Message
    from scheduler.pipeline.outcome import Outcome

logger: Final = service_logger()

_LEVELS: Final = {
    Settlement.RETRIED: logging.WARNING,
    Settlement.INVALID: logging.ERROR,
    Settlement.DEAD_LETTERED: logging.ERROR,
    Settlement.ERROR: logging.ERROR,
}


class Reporter:
    """Reports the batches of an execution environment.

    Args:
        max_retries: as for `settle`.
    """

    def __init__(self, max_retries: int) -> None:
        self._max_retries = max_retries
        self.start()

    def start(self) -> None:
        """Forget what an invocation before has prepared and not reported."""
        self._lines = LogLines(logger)
        self._prepared: dict[int, tuple[Settled, str]] = {}

    def prepare(self, outcomes: Iterable[Outcome]) -> None:
        """Make the log lines of outcomes that are not committed yet, while the database writes.

        They are written by `report`, and only for outcomes that are settled as expected here.
        """
        for outcome in outcomes:
            expected = settle(outcome, self._max_retries)
            self._prepared[id(outcome)] = expected, _line(expected, self._lines)

    def report(self, batch: Sequence[Settled], seconds: float, now: datetime) -> None:
        """Log every message and write the metrics of a batch of one queue.

        Args:
            batch: every message with its outcome and settlement.
            seconds: the duration of the whole batch.
            now: the time of the metrics.
        """
        lines, prepared = self._lines, self._prepared
        self.start()
        if not batch:
            return
        for settled in batch:
            expected, line = prepared.get(id(settled.outcome), (None, ""))
            lines.add_made(line if settled == expected else _line(settled, lines))
        event_type = _event_type(batch[0].outcome.message.queue)
        if unnamed := sum(_is_unnamed(settled.outcome) for settled in batch):
            text = "Messages without id: set message_id, so that a repeated event is recognised"
            lines.add(logging.WARNING, text, {"event_type": event_type, "messages": unnamed})
        lines.flush()
        _measure(batch, event_type, seconds).flush(now)


def _measure(batch: Sequence[Settled], event_type: str, seconds: float) -> Metrics:
    metrics = Metrics()
    for status, count in Counter(settled.settlement for settled in batch).items():
        metrics.add("scheduler_event_consumed_total", count, event_type=event_type, status=status)
    if held := sum(settled.outcome.verdict is Verdict.HELD for settled in batch):
        metrics.add("scheduler_mass_failure_held_total", held)
    reasons = Counter(reason for settled in batch for reason in settled.outcome.released)
    for reason, count in reasons.items():
        metrics.add("scheduler_auto_release_total", count, reason=reason)
    events = [settled.outcome.parsed for settled in batch if settled.outcome.parsed]
    if ahead := sum(parsed.clock_ahead for parsed in events):
        metrics.add("scheduler_clock_ahead_total", ahead, event_type=event_type)
    timed = [parsed for parsed in events if parsed.timed]
    lags = ((one.received_at - one.event.occurred_at).total_seconds() for one in timed)
    metrics.observe("scheduler_event_lag_seconds", lags, Unit.SECONDS, event_type=event_type)
    metrics.observe("scheduler_batch_size", [len(batch)])
    metrics.add("scheduler_batches_total", 1, queue=_queue_label(batch[0].outcome.message))
    metrics.observe(
        "scheduler_event_processing_duration_seconds",
        [seconds],
        Unit.SECONDS,
        event_type=event_type,
    )
    return metrics


def _line(settled: Settled, lines: LogLines) -> str:
    outcome = settled.outcome
    message, parsed = outcome.message, outcome.parsed
    event_type = _event_type(message.queue)
    details: dict[str, Any] = {
        "event_type": event_type,
        "outcome": settled.settlement.value,
        "message_id": outcome.message_id,
        **message.trace._asdict(),
        "publisher": message.publisher,
        "attempt": message.attempt,
        "released": len(outcome.released),
        "notifications": outcome.notified,
        "account_notices": outcome.account_notices,
    }
    level = _LEVELS.get(settled.settlement, logging.INFO)
    if parsed:
        details[f"{parsed.event.aggregate}_id"] = parsed.event.subject_id
        if parsed.clock_ahead:
            details["clock_ahead"], level = True, max(level, logging.WARNING)
    if settled.settlement is Settlement.ERROR:
        # The message is acknowledged, so its body is kept only here.
        details["payload"] = message.body.decode("utf-8", "replace")
    return lines.make(level, _text(outcome, event_type), details)


def _text(outcome: Outcome, event_type: str) -> str:
    received, parsed = f"Received {event_type} event", outcome.parsed
    ahead = ""
    if parsed:
        summary = parsed.event.summary
        received += f": {parsed.event.subject_id}" + f" ({summary})" * bool(summary)
        ahead = "its time is too far ahead and counts as the time of receipt" * parsed.clock_ahead
    told = f"account notices: {outcome.account_notices}" * bool(outcome.account_notices)
    return "; ".join(filter(None, (received, ahead, *outcome.remarks, told, outcome.error)))


def _is_unnamed(outcome: Outcome) -> bool:
    """Return whether a message was received for the first time and had no id."""
    parsed = outcome.parsed
    return parsed is not None and (
        is_given(parsed.identity) and IDENTITY_HEADER not in outcome.message.headers
    )


def _queue_label(message: Message) -> str:
    """Return the queue's name with its shard; names of other services' queues could be anything."""
    work_queue = WORK_QUEUE_BY_NAME.get(message.queue)
    return WorkQueue(work_queue.event_type, message.shard).name if work_queue else "unknown"


def _event_type(queue: str) -> str:
    work_queue = WORK_QUEUE_BY_NAME.get(queue)
    return work_queue.event_type if work_queue else "unknown"
