"""What became of one message, by the id that its publisher gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.guard import Aggregate
from scheduler.timeline.entries import EntryKind, MessageRef, Subject, TimelineEntry
from scheduler.timeline.messages import event_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymysql.cursors import Cursor

# One look-up by the primary key for each queue and table.
_SEEN: Final = """
    SELECT processed_at AS at, COALESCE(outcome, 'applied'), detail,
           aggregate, subject_id, queue, message_id, correlation_id, publisher
    FROM processed_messages WHERE queue IN %s AND message_id = %s
    UNION ALL
    SELECT last_at, outcome, error,
           aggregate, subject_id, queue, message_id, correlation_id, publisher
    FROM unapplied_messages WHERE queue IN %s AND message_id = %s
    ORDER BY at
"""


class TracedMessage(NamedTuple):
    """What became of a message, and the user or device that it is about, if known."""

    entry: TimelineEntry
    subject: Subject | None


def find_message(cursor: Cursor, id_: str, queues: Sequence[str]) -> list[TracedMessage]:
    """Return what became of a message with an id in each of some queues, oldest first.

    Args:
        cursor: of a transaction.
        id_: the id that the publisher gave, in ASCII.
        queues: the names of the queues in which it may have been.
    """
    cursor.execute(_SEEN, (queues, id_, queues, id_))
    found = []
    for at, outcome, detail, aggregate, subject_id, *ref in cursor.fetchall():
        message = MessageRef(*ref)
        entry = TimelineEntry(
            at=at,
            kind=EntryKind.EVENT,
            action=event_type(message.queue),
            outcome=outcome,
            detail=detail or "",
            message=message,
        )
        subject = Subject(Aggregate(aggregate), subject_id) if subject_id else None
        found.append(TracedMessage(entry, subject))
    return found
