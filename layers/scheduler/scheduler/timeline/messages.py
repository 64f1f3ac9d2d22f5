"""The messages about a user or device, and the messages that caused something."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Final

from scheduler.database.unapplied_messages import UnappliedOutcome
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME
from scheduler.timeline.entries import (
    MAX_OF_A_KIND,
    EntryKind,
    MessageRef,
    Subject,
    TimelineEntry,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pymysql.cursors import Cursor

_PROCESSED: Final = """
    SELECT processed_at, outcome, detail, queue, message_id, correlation_id, publisher
    FROM processed_messages FORCE INDEX (by_subject)
    WHERE aggregate = %s AND subject_id = %s AND processed_at BETWEEN %s AND %s
    ORDER BY processed_at DESC LIMIT %s
"""
_UNAPPLIED: Final = """
    SELECT u.last_at, u.outcome, u.times, u.first_at, u.error,
        EXISTS (SELECT 1 FROM processed_messages p WHERE p.queue = u.queue
            AND p.message_id = u.message_id AND p.processed_at >= u.last_at),
        u.queue, u.message_id, u.correlation_id, u.publisher
    FROM unapplied_messages u FORCE INDEX (by_subject)
    WHERE u.aggregate = %s AND u.subject_id = %s AND u.last_at BETWEEN %s AND %s
    ORDER BY u.last_at DESC LIMIT %s
"""
_BY_KEY: Final = """
    SELECT queue, message_id, correlation_id, publisher FROM processed_messages
    WHERE (queue, message_id) IN %s
"""
_OUTDATED: Final = "a newer event was applied before"
_TRIED_AGAIN: Final = "it is tried again within a minute; scheduler-ops watch shows it"
_NEXT_STEPS: Final = {
    UnappliedOutcome.RETRIED: _TRIED_AGAIN,
    UnappliedOutcome.PARKED: _TRIED_AGAIN,
    UnappliedOutcome.HELD: "decide whether the failures are real: scheduler-ops brake status",
    UnappliedOutcome.DEAD_LETTERED: "scheduler-ops dead-letters show --id {id}",
    UnappliedOutcome.GIVEN_UP: "its body is in the log of its function: message_id = {id}",
}


def read_messages(cursor: Cursor, subject: Subject, window: Window) -> Iterator[TimelineEntry]:
    """Yield what became of the messages about a user or device."""
    parameters = (*subject, *window, MAX_OF_A_KIND)
    cursor.execute(_PROCESSED, parameters)
    for at, outcome, detail, *ref in cursor.fetchall():
        message = MessageRef(*ref)
        yield TimelineEntry(
            at=at,
            kind=EntryKind.EVENT,
            action=event_type(message.queue),
            outcome=outcome,
            detail="; ".join(filter(None, (_OUTDATED if outcome == "outdated" else "", detail))),
            message=message,
        )
    cursor.execute(_UNAPPLIED, parameters)
    for at, outcome, times, first_at, error, done, *ref in cursor.fetchall():
        message = MessageRef(*ref)
        since = f"{times} times since {first_at:%Y-%m-%d %H:%M:%S}" if times > 1 else ""
        step = "" if done else _NEXT_STEPS.get(UnappliedOutcome(outcome), "")
        yield TimelineEntry(
            at=at,
            kind=EntryKind.EVENT,
            action=event_type(message.queue),
            outcome=outcome,
            detail="; ".join(filter(None, (error, since))),
            message=message,
            next_step=step.format(id=quote(message.id)),  # operators paste it into a shell
        )


def event_type(queue: str) -> str:
    """Return the type of the events in a queue."""
    known = WORK_QUEUE_BY_NAME.get(queue)
    return known.event_type if known else queue


def find_causes(cursor: Cursor, actors: Iterable[str | None]) -> dict[str, MessageRef]:
    """Return the messages among the causes of changes, by actor."""
    named = {one: ref for one in actors if one and (ref := _message_of(one))}
    if not named:
        return {}
    keys = tuple(dict.fromkeys((ref.queue, ref.id) for ref in named.values()))
    cursor.execute(_BY_KEY, (keys,))
    known = {row[:2]: MessageRef(*row) for row in cursor.fetchall()}
    return {actor: known.get((ref.queue, ref.id), ref) for actor, ref in named.items()}


def _message_of(actor: str) -> MessageRef | None:
    source, _, key = actor.partition(":")
    queue, _, id_ = key.partition(":")
    return MessageRef(queue, id_) if source == "event" and id_.isascii() else None
