"""Where a client left off: what it may have missed, in terms of notification ids.

Notification ids are made in the order of time (UUID version 7), but they need not arrive in it: an
id is made before its commit, and what is repeated to a client mixes with what comes live. So one
older than the last that a client saw may still be missing. Therefore what is asked for reaches
back a little, and clients drop what they have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import RFC_4122, UUID

OVERLAP: Final = timedelta(seconds=30)
"""Longer than it takes from making an id to its commit (a few inserts, of which one may wait 10 s
for a lock) and from there to the client."""

_VERSION: Final = 7
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND


class InvalidSinceError(ValueError):
    """The text is neither a time nor an id of a notification."""


@dataclass(frozen=True, slots=True)
class Since:
    """A point in a user's notifications: those with ids from ``first`` on may be missing.

    ``seen`` is the last one that the client has, if it told.
    """

    first: str
    seen: str | None = None

    @classmethod
    def parse(cls, text: str) -> Since:
        """Return what a client says: the id of the last notification it has, or a time.

        Args:
            text: an id, or ISO 8601 with a zone.

        Raises:
            InvalidSinceError: it is neither.
        """
        try:
            id_ = UUID(text)
        except ValueError:
            return cls(first_id(_moment(text) - OVERLAP))
        return cls(first_id(_made_at(id_) - OVERLAP), seen=str(id_))

    @classmethod
    def exactly(cls, moment: datetime) -> Since:
        """Return a point before which nothing is missing, e.g. when a client set out to connect."""
        return cls(first_id(moment))


def first_id(moment: datetime) -> str:
    """Return the smallest id that a notification made at this time can have."""
    milliseconds = max(0, (moment - _EPOCH) // _MILLISECOND)
    return str(UUID(int=milliseconds << 80 | _VERSION << 76 | 2 << 62))


def _moment(text: str) -> datetime:
    try:
        # The plus of a zone that was not percent-encoded arrives as a blank.
        moment = datetime.fromisoformat("+".join(text.rsplit(" ", 1)))
    except ValueError:
        raise InvalidSinceError("neither a notification's id nor an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise InvalidSinceError("a time without zone")
    try:
        return max(moment, _EPOCH).astimezone(UTC)
    except OverflowError:
        raise InvalidSinceError("no notification is of that time") from None


def _made_at(id_: UUID) -> datetime:
    milliseconds = id_.int >> 80
    if id_.variant != RFC_4122 or id_.version != _VERSION or milliseconds > _LAST:
        raise InvalidSinceError("not the id of a notification")
    return _EPOCH + milliseconds * _MILLISECOND
