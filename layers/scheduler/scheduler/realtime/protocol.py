"""The messages of the WebSocket: frames to the client, and ``since``, where a client left off.

``since`` is a position in a user's notifications, whose ids are UUIDs of version 7 and therefore
sort by time. Notifications may arrive in another order than their ids, because an id is made before
its commit and a replay mixes with live frames; one that is older than the newest that a client has
may still be missing. So a replay starts `OVERLAP` earlier, and clients drop the ids they have seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import RFC_4122, UUID

OVERLAP: Final = timedelta(seconds=30)
"""Longer than it takes to commit a notification after its id is made (a few inserts, one of which
may wait 10 s for a lock) and to send it to the client."""

_UUID_VERSION: Final = 7
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MILLISECONDS: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND


def frame(
    *, id_: str, type_: str, title: str, message: str, data: str, created_at: datetime
) -> bytes:
    """Return the frame of a notification as UTF-8 JSON.

    Args:
        id_: the notification's id, by which clients recognise a frame that comes twice.
        type_: the notification's type, e.g. ``device_released``.
        title: in the user's language.
        message: in the user's language.
        data: the notification's parameters, as JSON.
        created_at: in UTC.
    """
    fields = {
        "type": type_,
        "id": id_,
        "title": title,
        "message": message,
        "data": json.loads(data),
        "createdAt": created_at.isoformat(),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


class InvalidSinceError(ValueError):
    """The text is neither a time nor the id of a notification."""


@dataclass(frozen=True, slots=True)
class Since:
    """A position in a user's notifications: ids from ``first`` on may be missing at the client.

    ``seen`` is the newest notification that the client has, if it named one.
    """

    first: str
    seen: str | None = None

    @classmethod
    def parse(cls, text: str) -> Since:
        """Return the position that a client asks for.

        Args:
            text: the id of the newest notification that the client has, or an ISO 8601 time with a
                zone.

        Raises:
            InvalidSinceError: the text is neither.
        """
        try:
            id_ = UUID(text)
        except ValueError:
            return cls(first_id(_parse_time(text) - OVERLAP))
        return cls(first_id(_time_of(id_) - OVERLAP), seen=str(id_))

    @classmethod
    def exactly(cls, moment: datetime) -> Since:
        """Return the position of a time, without overlap."""
        return cls(first_id(moment))


def first_id(moment: datetime) -> str:
    """Return the smallest id that a notification made at this time can have."""
    milliseconds = max(0, (moment - _EPOCH) // _MILLISECOND)
    return str(UUID(int=milliseconds << 80 | _UUID_VERSION << 76 | 2 << 62))


def _parse_time(text: str) -> datetime:
    try:
        # The + of a zone arrives as a space if the client did not percent-encode it.
        moment = datetime.fromisoformat("+".join(text.rsplit(" ", 1)))
    except ValueError:
        raise InvalidSinceError("neither a notification's id nor an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise InvalidSinceError("a time without zone")
    try:
        return max(moment, _EPOCH).astimezone(UTC)
    except OverflowError:
        raise InvalidSinceError("time out of range") from None


def _time_of(id_: UUID) -> datetime:
    milliseconds = id_.int >> 80
    if id_.variant != RFC_4122 or id_.version != _UUID_VERSION or milliseconds > _MAX_MILLISECONDS:
        raise InvalidSinceError("not the id of a notification")
    return _EPOCH + milliseconds * _MILLISECOND
