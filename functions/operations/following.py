"""Follows one message: what became of it, and what it caused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from operations.context import Arguments, OperationContext
from operations.timeline import entry_to_json
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME
from scheduler.timeline.entries import EntryKind, Subject, Window
from scheduler.timeline.messages import find_message
from scheduler.timeline.read import read_timeline

if TYPE_CHECKING:
    from scheduler.timeline.entries import TimelineEntry
    from scheduler.timeline.messages import TracedMessage

_BEFORE: Final = timedelta(seconds=10)
"""Clocks of two functions differ by less."""
_AFTER: Final = timedelta(days=1)


class MessageArguments(Arguments):
    """Which message; its id is that of the publisher."""

    id: str = Field(min_length=1, max_length=128, pattern="^[!-~]+$")
    language: Literal["en", "zh-CN"] = "en"


def follow(context: OperationContext, arguments: MessageArguments) -> dict[str, Any]:
    """Return what became of a message in each queue, and what it caused: releases, notifications.

    What operators did to it, and to the dead letter from which they made it, is part of the former.

    A message that no function has received yet is in no list; it may still wait in its queue.
    ``complete`` is False if so much happened to its user or device that effects may be missing.
    """
    with context.transaction() as cursor:
        seen = find_message(cursor, arguments.id, tuple(WORK_QUEUE_BY_NAME), arguments.language)
        timelines = [
            read_timeline(cursor, subject, Window(at - _BEFORE, at + _AFTER), arguments.language)
            for subject, at in _subjects(seen).items()
        ]
    effects = [
        entry for one in timelines for entry in one.entries if _is_effect(entry, arguments.id)
    ]
    return {
        "at": context.now.isoformat(),
        "id": arguments.id,
        "received": [entry_to_json(one.entry) for one in seen],
        "effects": [entry_to_json(one) for one in sorted(effects, key=lambda one: one.at)],
        "complete": all(one.complete for one in timelines),
    }


def _subjects(seen: list[TracedMessage]) -> dict[Subject, Any]:
    """Return the users and devices that the message is about, and when it was first seen."""
    found: dict[Subject, Any] = {}
    for one in seen:
        if one.subject:
            found[one.subject] = min(found.get(one.subject, one.entry.at), one.entry.at)
    return found


def _is_effect(entry: TimelineEntry, id_: str) -> bool:
    return entry.kind is not EntryKind.EVENT and bool(entry.message and entry.message.id == id_)
