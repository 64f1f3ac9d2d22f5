"""The messages about a user or device, and the messages that caused something."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.database.letter_actions import OperatorAction
from scheduler.database.unapplied_messages import UnappliedOutcome
from scheduler.domain.guard import Aggregate
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME
from scheduler.timeline.entries import (
    MAX_OF_A_KIND,
    EntryKind,
    MessageRef,
    Subject,
    TimelineEntry,
    Window,
)
from scheduler.timeline.texts import TimelineTexts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

_PROCESSED: Final = """
    SELECT p.aggregate, p.subject_id, p.queue, p.message_id, p.correlation_id, p.publisher,
        p.processed_at, COALESCE(p.outcome, 'applied'), p.detail
    FROM processed_messages p FORCE INDEX ({index}) WHERE {condition}
"""
_UNAPPLIED: Final = """
    SELECT u.aggregate, u.subject_id, u.queue, u.message_id, u.correlation_id, u.publisher,
        u.last_at, u.outcome, u.times, u.first_at, u.error,
        EXISTS (SELECT 1 FROM processed_messages p WHERE p.queue = u.queue
            AND p.message_id = u.message_id AND p.processed_at >= u.last_at)
        OR EXISTS (SELECT 1 FROM letter_actions a FORCE INDEX (of_message) WHERE a.queue = u.queue
            AND a.message_id = u.message_id AND a.acted_at >= u.last_at)
        OR EXISTS (SELECT 1 FROM unapplied_messages n WHERE n.queue = u.queue
            AND n.message_id = u.message_id AND n.last_at > u.last_at)
    FROM unapplied_messages u FORCE INDEX ({index}) WHERE {condition}
"""
# A message that was applied before is a duplicate when it is replayed, so any such row will do.
_ACTIONS: Final = """
    SELECT a.aggregate, a.subject_id, a.queue, a.message_id, NULL, NULL,
        a.acted_at, a.action, a.new_id, a.caller,
        EXISTS (SELECT 1 FROM processed_messages p WHERE p.queue = a.queue
            AND p.message_id = COALESCE(a.new_id, a.message_id))
        OR EXISTS (SELECT 1 FROM unapplied_messages u WHERE u.queue = a.queue
            AND u.message_id = COALESCE(a.new_id, a.message_id) AND u.last_at >= a.acted_at)
        OR EXISTS (SELECT 1 FROM letter_actions l FORCE INDEX (of_message) WHERE l.queue = a.queue
            AND l.message_id = COALESCE(a.new_id, a.message_id) AND l.acted_at > a.acted_at)
    FROM letter_actions a FORCE INDEX ({index}) WHERE {condition}
"""
_ABOUT: Final = (
    "{alias}.aggregate = %s AND {alias}.subject_id = %s AND {alias}.{at} BETWEEN %s AND %s"
    " ORDER BY {alias}.{at} DESC LIMIT %s"
)
_OF_MESSAGE: Final = "{alias}.queue IN %s AND {alias}.{column} = %s"
_BY_KEY: Final = """
    SELECT queue, message_id, correlation_id, publisher FROM processed_messages
    WHERE (queue, message_id) IN %s
"""
_NEXT_STEPS: Final = {
    UnappliedOutcome.RETRIED: "tried_again",
    UnappliedOutcome.PARKED: "tried_again",
    UnappliedOutcome.HELD: "decide",
    UnappliedOutcome.DEAD_LETTERED: "show_letter",
    UnappliedOutcome.GIVEN_UP: "in_log",
}
"""Keys of texts."""
_STEPS_AFTER: Final = {
    OperatorAction.REPLAYED: "in_queue",
    OperatorAction.EDITED: "show_message",
}
"""While nothing is known about the message that was published."""


class TracedMessage(NamedTuple):
    """What became of a message, and the user or device that it is about, if known."""

    entry: TimelineEntry
    subject: Subject | None


def read_messages(
    cursor: Cursor, subject: Subject, window: Window, texts: TimelineTexts
) -> Iterator[TimelineEntry]:
    """Yield what became of the messages about a user or device, and what operators did to them."""
    parameters = (*subject, *window, MAX_OF_A_KIND)
    for alias, at, statement, to_entry in (
        ("p", "processed_at", _PROCESSED, _applied),
        ("u", "last_at", _UNAPPLIED, _unapplied),
        ("a", "acted_at", _ACTIONS, _acted),
    ):
        condition = _ABOUT.format(alias=alias, at=at)
        cursor.execute(statement.format(index="by_subject", condition=condition), parameters)
        for _aggregate, _subject, *row in cursor.fetchall():
            yield to_entry(MessageRef(*row[:4]), row[4:], texts)


def find_message(
    cursor: Cursor, id_: str, queues: Sequence[str], locale: str
) -> list[TracedMessage]:
    """Return what became of a message in each of some queues, oldest first.

    That includes what operators did to it, and from which dead letter they made it.

    Args:
        cursor: of a transaction.
        id_: the id that the publisher gave, in ASCII.
        queues: the names of the queues in which it may have been.
        locale: the language of the texts.
    """
    found, texts = [], TimelineTexts(locale)
    for alias, index, column, statement, to_entry in (
        ("p", "PRIMARY", "message_id", _PROCESSED, _applied),
        ("u", "PRIMARY", "message_id", _UNAPPLIED, _unapplied),
        ("a", "of_message", "message_id", _ACTIONS, _acted),
        ("a", "of_new_message", "new_id", _ACTIONS, _acted),
    ):
        condition = _OF_MESSAGE.format(alias=alias, column=column)
        cursor.execute(statement.format(index=index, condition=condition), (queues, id_))
        for aggregate, subject_id, *row in cursor.fetchall():
            subject = Subject(Aggregate(aggregate), subject_id) if subject_id else None
            entry = to_entry(MessageRef(*row[:4]), row[4:], texts)
            found.append(TracedMessage(entry, subject))
    return sorted(found, key=lambda one: one.entry.at)


def _applied(message: MessageRef, row: Sequence[Any], texts: TimelineTexts) -> TimelineEntry:
    at, outcome, detail = row
    outdated = texts.say("outdated") if outcome == "outdated" else ""
    return _entry(message, at, outcome, detail=texts.join(outdated, texts.translate(detail)))


def _unapplied(message: MessageRef, row: Sequence[Any], texts: TimelineTexts) -> TimelineEntry:
    at, outcome, times, first_at, error, is_done = row
    first = f"{first_at:%Y-%m-%d %H:%M:%S}"
    since = texts.say("times", times=times, first=first) if times > 1 else ""
    key = None if is_done else _NEXT_STEPS.get(UnappliedOutcome(outcome))
    step = _step(texts, key, message.id)
    return _entry(message, at, outcome, detail=texts.join(error, since), next_step=step)


def _acted(message: MessageRef, row: Sequence[Any], texts: TimelineTexts) -> TimelineEntry:
    at, action, new_id, caller, is_done = row
    detail = texts.say("new_id", id=new_id) if new_id else ""
    key = None if is_done else _STEPS_AFTER.get(OperatorAction(action))
    step = _step(texts, key, new_id or message.id)
    return _entry(message, at, action, detail=detail, caused_by=caller, next_step=step)


def _step(texts: TimelineTexts, key: str | None, id_: str) -> str:
    return texts.say(key, id=quote(id_)) if key else ""  # operators paste it into a shell


def _entry(message: MessageRef, at: datetime, outcome: str, **about: Any) -> TimelineEntry:  # noqa: ANN401 - fields
    action = event_type(message.queue)
    return TimelineEntry(
        at=at, kind=EntryKind.EVENT, action=action, outcome=outcome, message=message, **about
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
