"""Reads the timeline of a user or device: every source of entries, merged by time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from scheduler.timeline.allocations import read_allocations, read_reservations, read_waiting
from scheduler.timeline.entries import MAX_OF_A_KIND, EntryKind, Subject, TimelineEntry, Window
from scheduler.timeline.messages import find_causes, read_messages
from scheduler.timeline.outbox import read_notifications, read_outgoing
from scheduler.timeline.texts import TimelineTexts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymysql.cursors import Cursor

_ORDER: Final = {kind: position for position, kind in enumerate(EntryKind)}
"""Of one moment, the cause comes before its effects."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened in a window, oldest first.

    ``complete`` is False if there may be more of a kind than were read, so that the window should
    be narrowed.
    """

    entries: Sequence[TimelineEntry]
    complete: bool

    @property
    def next_step(self) -> str:
        """Return what to do about the newest entry that needs something; empty if none does."""
        return next((one.next_step for one in reversed(self.entries) if one.next_step), "")


def read_timeline(cursor: Cursor, subject: Subject, window: Window, locale: str) -> Timeline:
    """Return the timeline of a user or device; that of an unknown one is empty.

    Takes at most ten statements, each limited by an index and by `MAX_OF_A_KIND`.

    Args:
        cursor: of a transaction.
        subject: the user or device.
        window: its entries are returned.
        locale: the language of its texts.
    """
    texts = TimelineTexts(locale)
    entries = list(read_messages(cursor, subject, window, texts))
    allocated, ids = read_allocations(cursor, subject, window, texts)
    entries += allocated
    if subject.is_user:
        entries += read_waiting(cursor, subject.id, window, texts)
    entries += read_reservations(cursor, subject, window, texts)
    entries += read_notifications(cursor, subject, ids, window, texts)
    entries += read_outgoing(cursor, ids, window, texts)
    causes = find_causes(cursor, [entry.caused_by for entry in entries])
    shown = [
        replace(one, message=one.message or causes.get(one.caused_by or ""))
        for one in entries
        if window.start <= one.at <= window.end
    ]
    most = max(Counter(one.kind for one in entries).values(), default=0)
    complete = most < MAX_OF_A_KIND and len(ids) < MAX_OF_A_KIND
    return Timeline(sorted(shown, key=lambda one: (one.at, _ORDER[one.kind])), complete)
