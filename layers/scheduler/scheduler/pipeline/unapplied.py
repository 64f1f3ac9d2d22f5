"""Notes the messages of a batch that were not applied, for the timeline of their user or device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pymysql

from scheduler.database import unapplied_messages
from scheduler.database.errors import DatabaseUnavailableError, is_conflict_without_wait
from scheduler.database.unapplied_messages import UnappliedMessage, UnappliedOutcome
from scheduler.messaging.amqp import encodable
from scheduler.messaging.subject import aggregate_of, named_subject
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME
from scheduler.observability.logger import service_logger
from scheduler.pipeline.outcome import Verdict
from scheduler.pipeline.settle import Settlement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from scheduler.database.connection import Database
    from scheduler.pipeline.settle import Settled

_OUTCOMES: Final = {
    Settlement.DUPLICATE: UnappliedOutcome.DUPLICATE,
    Settlement.RETRIED: UnappliedOutcome.RETRIED,
    Settlement.INVALID: UnappliedOutcome.DEAD_LETTERED,
    Settlement.DEAD_LETTERED: UnappliedOutcome.DEAD_LETTERED,
    Settlement.ERROR: UnappliedOutcome.GIVEN_UP,
}
_BY_VERDICT: Final = {
    Verdict.HELD: UnappliedOutcome.HELD,
    Verdict.PARKED: UnappliedOutcome.PARKED,
}

logger: Final = service_logger()


def note_unapplied(database: Database, batch: Sequence[Settled], now: datetime) -> None:
    """Note what was not applied, in one statement; a note that cannot be written is lost.

    Messages that are parked because the database is away, or for lack of time, are not noted: an
    attempt would only take more time. When they are applied, their entry says how long they waited.
    """
    notes = list(_notes(batch))
    only_parked = all(one.outcome is UnappliedOutcome.PARKED for one in notes)
    if not notes or (only_parked and not database.is_ready):
        return
    try:
        database.run(
            lambda cursor: unapplied_messages.note(cursor, notes, now), is_conflict_without_wait
        )
    except (DatabaseUnavailableError, pymysql.MySQLError) as error:
        details = {"messages": len(notes), "error": str(error)}
        logger.warning("Could not note messages for their timeline", extra=details)


def _notes(batch: Sequence[Settled]) -> Iterator[UnappliedMessage]:
    for settled in batch:
        outcome = settled.outcome
        kind = _BY_VERDICT.get(outcome.verdict) or _OUTCOMES.get(settled.settlement)
        message, parsed = outcome.message, outcome.parsed
        # Messages of other queues become dead letters unread; such a name may be too long to store.
        queue = WORK_QUEUE_BY_NAME.get(message.queue)
        if kind is None or queue is None:
            continue
        yield UnappliedMessage(
            message.queue,
            outcome.message_id,
            kind,
            aggregate_of(queue),
            parsed.event.subject_id if parsed else named_subject(queue, message.body),
            encodable(outcome.error),
            message.trace.correlation_id,
            message.publisher,
        )
