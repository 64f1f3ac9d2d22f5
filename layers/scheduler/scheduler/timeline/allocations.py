"""Allocations of a user or device, queued requests and reservations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scheduler.database.release_reasons import StoredReason
from scheduler.timeline.entries import MAX_OF_A_KIND, EntryKind, Subject, TimelineEntry, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.timeline.texts import TimelineTexts

# One may have begun long before the window, so the newest are read and filtered.
_ALLOCATIONS: Final = """
    SELECT a.* FROM (
        SELECT id, user_id, device_id, status, allocated_at, expires_at, released_at,
               allocated_by, released_by, release_code, release_reason, release_details
        FROM allocations FORCE INDEX ({index}) WHERE {column} = %s AND allocated_at <= %s
        ORDER BY allocated_at DESC, id DESC LIMIT 1000
    ) a
    WHERE a.released_at IS NULL OR a.released_at >= %s
    ORDER BY a.allocated_at DESC, a.id DESC LIMIT %s
"""
_EXTENSIONS: Final = """
    SELECT extended_at, allocation_id, expires_at, extended_by FROM allocation_extensions
    WHERE allocation_id IN %s AND extended_at BETWEEN %s AND %s ORDER BY id DESC LIMIT %s
"""
_WAITING: Final = """
    SELECT id, status, minutes, created_at, ended_at FROM waiting FORCE INDEX (by_user)
    WHERE user_id = %s AND created_at <= %s AND (ended_at IS NULL OR ended_at >= %s)
    ORDER BY created_at DESC LIMIT %s
"""
_RESERVATIONS: Final = """
    SELECT id, user_id, device_id, status, starts_at, ends_at, created_at, ended_at
    FROM reservations FORCE INDEX ({index})
    WHERE {column} = %s AND created_at <= %s AND (ended_at IS NULL OR ended_at >= %s)
    ORDER BY created_at DESC LIMIT %s
"""


def read_allocations(
    cursor: Cursor, subject: Subject, window: Window, texts: TimelineTexts
) -> tuple[list[TimelineEntry], list[str]]:
    """Return begin, extensions and end of allocations; and the ids of those in the window."""
    by = ("by_user", "user_id") if subject.is_user else ("by_device", "device_id")
    statement = _ALLOCATIONS.format(index=by[0], column=by[1])
    cursor.execute(statement, (subject.id, window.end, window.start, MAX_OF_A_KIND))
    rows = cursor.fetchall()
    entries = [entry for row in rows for entry in _begin_and_end(row, texts)]
    about = {row[0]: {"user_id": row[1], "device_id": row[2]} for row in rows}
    if about:
        cursor.execute(_EXTENSIONS, (tuple(about), *window, MAX_OF_A_KIND))
        for at, id_, expires_at, by_whom in cursor.fetchall():
            until = texts.say("until", at=_minute(expires_at))
            fields = {"allocation_id": id_, "caused_by": by_whom, "detail": until, **about[id_]}
            entries.append(_entry(EntryKind.ALLOCATION, at, "extended", **fields))
    return entries, list(about)


def _begin_and_end(row: Sequence[Any], texts: TimelineTexts) -> Iterator[TimelineEntry]:
    id_, user_id, device_id, status, allocated_at, expires_at, released_at, *rest = row
    allocated_by, released_by, *reason = rest
    about = {"allocation_id": id_, "user_id": user_id, "device_id": device_id}
    until = texts.say("until", at=_minute(expires_at))
    kind = EntryKind.ALLOCATION
    yield _entry(kind, allocated_at, "allocated", caused_by=allocated_by, detail=until, **about)
    if released_at:
        stored = StoredReason(*reason)
        yield _entry(
            kind,
            released_at,
            str(status).lower(),
            outcome=stored.code or "",
            detail=stored.in_language(texts.locale) or "",
            caused_by=released_by,
            **about,
        )


def read_waiting(
    cursor: Cursor, user_id: str, window: Window, texts: TimelineTexts
) -> Iterator[TimelineEntry]:
    """Yield when a user's requests were queued, and how they left the line."""
    cursor.execute(_WAITING, (user_id, window.end, window.start, MAX_OF_A_KIND))
    for id_, status, minutes, created_at, ended_at in cursor.fetchall():
        about = {"allocation_id": id_, "user_id": user_id}
        wish = texts.say("wants", minutes=minutes)
        yield _entry(EntryKind.WAITING, created_at, "queued", detail=wish, **about)
        if ended_at:
            yield _entry(EntryKind.WAITING, ended_at, str(status).lower(), **about)


def read_reservations(
    cursor: Cursor, subject: Subject, window: Window, texts: TimelineTexts
) -> Iterator[TimelineEntry]:
    """Yield when reservations were made, and how they ended."""
    by = ("by_user", "user_id") if subject.is_user else ("calendar", "device_id")
    statement = _RESERVATIONS.format(index=by[0], column=by[1])
    cursor.execute(statement, (subject.id, window.end, window.start, MAX_OF_A_KIND))
    for (
        id_,
        user_id,
        device_id,
        status,
        starts_at,
        ends_at,
        created_at,
        ended_at,
    ) in cursor.fetchall():
        about = {"allocation_id": id_, "user_id": user_id, "device_id": device_id}
        slot = texts.say("slot", start=_minute(starts_at), end=_minute(ends_at))
        yield _entry(EntryKind.RESERVATION, created_at, "reserved", detail=slot, **about)
        if ended_at:
            yield _entry(EntryKind.RESERVATION, ended_at, str(status).lower(), **about)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _entry(kind: EntryKind, at: Any, action: str, **fields: Any) -> TimelineEntry:  # noqa: ANN401 - columns
    return TimelineEntry(at=at, kind=kind, action=action, **fields)
