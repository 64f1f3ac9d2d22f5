"""Where a client left off: what it may have missed, in terms of notification ids.

Notification ids are made in the order of time (UUID version 7), but within a transaction, before
its commit; and several are sent at once. So one older than the last that a client saw may have
become visible, or been on its way, later than that one. Therefore what is asked for reaches back
a little, for everything that was not sent earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import RFC_4122, UUID

OVERLAP: Final = timedelta(seconds=30)
"""From making an id to its commit are a few inserts, of which none waits longer than 10 s for a
lock."""

_VERSION: Final = 7
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND


class InvalidSinceError(ValueError):
    """The text is neither a time nor an id of a notification."""


@dataclass(frozen=True, slots=True)
class Since:
    """A point in a user's notifications.

    What comes after ``after`` is missing, and what comes after ``floor`` unless it was sent before
    ``sent_from``. ``seen`` names the last notification that the client has, if it told.
    """

    after: str
    floor: str
    sent_from: datetime
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
            moment = _moment(text)
            return cls(first_id(moment), first_id(moment - OVERLAP), moment)
        made = _made_at(id_)
        return cls(str(id_), first_id(made - OVERLAP), made, seen=str(id_))

    @classmethod
    def exactly(cls, moment: datetime) -> Since:
        """Return a point before which nothing is missing, e.g. when a client set out to connect."""
        return cls(first_id(moment), first_id(moment), moment)


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
    return max(moment, _EPOCH).astimezone(UTC)


def _made_at(id_: UUID) -> datetime:
    milliseconds = id_.int >> 80
    if id_.variant != RFC_4122 or id_.version != _VERSION or milliseconds > _LAST:
        raise InvalidSinceError("not the id of a notification")
    return _EPOCH + milliseconds * _MILLISECOND
