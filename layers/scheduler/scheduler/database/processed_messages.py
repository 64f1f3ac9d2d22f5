"""The messages whose effect is committed: stored in the transaction that has the effect."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.guard import Aggregate
from scheduler.domain.model import UserStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymysql.cursors import Cursor

    from scheduler.domain.work import Work
    from scheduler.messaging.validate import Parsed

_INSERT: Final = """
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at,
        outcome, aggregate, subject_id, correlation_id, publisher, detail)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
MESSAGES_KEPT: Final = timedelta(days=30)
"""Operators may replay a dead letter weeks later, and its duplicates must still be detected."""
_MAX_DETAIL: Final = 255


class ProcessedMessage(NamedTuple):
    """A message that was applied, or that is outdated and has no effect.

    ``detail`` is shown in the timeline: it holds what no other entry shows.
    """

    parsed: Parsed
    applied: bool
    detail: str = ""


def write(cursor: Cursor, work: Work, processed: Sequence[ProcessedMessage]) -> None:
    """Insert messages with what their timeline shows of them.

    Raises:
        pymysql.MySQLError: such as a unique violation, if another transaction was faster.
    """
    cursor.executemany(_INSERT, [_row(one, work) for one in processed])


def _row(one: ProcessedMessage, work: Work) -> tuple[object, ...]:
    message, event = one.parsed.message, one.parsed.event
    outcome = "applied" if one.applied else "outdated"
    known: tuple[object, ...] = (event.aggregate, event.subject_id)
    known += (message.trace.correlation_id, message.publisher, one.detail[:_MAX_DETAIL] or None)
    if event.aggregate is Aggregate.USER and _is_deleted(event.subject_id, work):
        known = (None,) * len(known)
    return (
        message.queue,
        one.parsed.identity.id,
        one.parsed.identity.sha256,
        work.now,
        outcome,
        *known,
    )


def _is_deleted(user_id: str, work: Work) -> bool:
    return work.user(user_id).status is UserStatus.DELETED
