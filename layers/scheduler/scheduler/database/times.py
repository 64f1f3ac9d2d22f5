"""Converts times between aware UTC in Python and DATETIME columns, which have no time zone.

Sessions run with ``time_zone = '+00:00'``, so all columns hold UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Earlier than any stored time."""

_OFFSET: Final = "+00:00"


def from_sql(text: str) -> datetime:
    """Return the aware UTC time that a DATETIME column holds."""
    return datetime.fromisoformat(text + _OFFSET)


def to_sql(moment: datetime) -> str:
    """Return a time as the text of a DATETIME, in UTC and without quotes.

    Raises:
        TypeError: the time is naive, so its time zone is unknown.
    """
    return str(in_utc(moment))[: -len(_OFFSET)]


def in_utc(moment: datetime) -> datetime:
    """Return a time in UTC.

    Raises:
        TypeError: the time is naive, so its time zone is unknown.
    """
    if moment.tzinfo is None:
        raise TypeError(f"a naive time cannot be stored: {moment}")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def quoted(moment: datetime, _mapping: object = None) -> str:
    """Return a time as a SQL literal; the signature is that of PyMySQL's encoders."""
    return f"'{to_sql(moment)}'"
