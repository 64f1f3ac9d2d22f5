"""Replays dead letters: publishes them to their work queues.

A letter is removed after the broker has confirmed its copy, so a killed run may leave a letter
twice but never loses one. The copy keeps its message id, so a second copy has no effect.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from operations.dead_letters.letter import FAILURE_HEADERS, REPLAYS_HEADER, DeadLetter
from scheduler.database.letter_actions import OperatorAction
from scheduler.messaging.message import RECEIVED_HEADER, to_milliseconds
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.record import is_set_by_broker
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from operations.dead_letters.actions import LetterNotes
    from operations.dead_letters.queue import TakenLetter

MAX_REPLAYS: Final = 3
"""A message that has failed after this many replays will fail again until its cause is fixed."""

# Without expiration (the copy must not expire), user_id (the broker only accepts the publisher's
# own), cluster_id and delivery_mode (set by the publisher).
_COPIED_PROPERTIES: Final = (
    "content_type",
    "content_encoding",
    "priority",
    "correlation_id",
    "reply_to",
    "message_id",
    "timestamp",
    "type",
    "app_id",
)


@dataclass(slots=True)
class ReplayResult:
    """The number of replayed letters, and of others by reason."""

    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def replay_letters(
    letters: Iterable[TakenLetter],
    publish: Callable[[OutboundMessage], None],
    result: ReplayResult,
    notes: LetterNotes,
    *,
    force: bool = False,
    to: str | None = None,
) -> None:
    """Publish each letter to its work queue, then remove it.

    Args:
        letters: must not include messages that this call publishes and that fail again.
        publish: returns when the broker has confirmed a message, otherwise raises.
        result: updated after each letter, so that it is correct if ``publish`` raises.
        notes: likewise.
        force: also replay letters that were replayed `MAX_REPLAYS` times.
        to: the queue of letters that come from no work queue.
    """
    for one in letters:
        letter = addressed(one.letter, to)
        if refusal := refusal_of(letter, force=force):
            result.refused[refusal] += 1
            continue
        with notes.noting(letter, OperatorAction.REPLAYED):
            publish(copy_for_work_queue(letter))
            one.remove()
        result.replayed += 1


def addressed(letter: DeadLetter, to: str | None) -> DeadLetter:
    """Return a letter that comes from no work queue as one of the queue ``to``; others as is."""
    if to is None or letter.has_work_queue:
        return letter
    return replace(letter, routing_key=WORK_QUEUE_BY_NAME[to].dead_letter_key)


def copy_for_work_queue(letter: DeadLetter) -> OutboundMessage:
    """Return the message as it was first published, with its replay counter incremented."""
    headers = {
        name: value
        for name, value in letter.headers.items()
        if name not in FAILURE_HEADERS and not is_set_by_broker(name)
    }
    given = {name: getattr(letter.properties, name) for name in _COPIED_PROPERTIES}
    properties = {name: value for name, value in given.items() if value is not None}
    if letter.received_at:
        # An event without a time happened when it was first received, not at its replay.
        headers[RECEIVED_HEADER] = to_milliseconds(letter.received_at)
    properties["headers"] = {**headers, REPLAYS_HEADER: letter.replays + 1}
    return OutboundMessage("", letter.source_queue, letter.body, properties)


def refusal_of(letter: DeadLetter, *, force: bool) -> str:
    """Return why a letter is not replayed; empty if it is."""
    if not letter.has_work_queue:
        return (
            f"{letter.source_queue} is not a work queue (name its event with --to, or discard it)"
        )
    if letter.replays >= MAX_REPLAYS and not force:
        return f"replayed {MAX_REPLAYS} times already (--force replays again)"
    return ""
