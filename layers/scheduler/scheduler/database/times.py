"""The border of times: aware UTC in Python, DATETIME columns without a zone in MariaDB.

Sessions run with ``time_zone = '+00:00'``, so what a column holds is UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_OFFSET: Final = "+00:00"


def from_sql(text: str) -> datetime:
    """Return the aware UTC time that a DATETIME column holds."""
    return datetime.fromisoformat(text + _OFFSET)


def to_sql(moment: datetime) -> str:
    """Return a time as a DATETIME column takes it, in UTC and without quotes.

    Raises:
        TypeError: the time is naive; nobody can tell which zone it means.
    """
    if moment.tzinfo is None:
        raise TypeError(f"a naive time cannot be stored: {moment}")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return str(moment)[: -len(_OFFSET)]


def quoted(moment: datetime, _mapping: object = None) -> str:
    """Return a time as a SQL literal; the signature is that of PyMySQL's encoders."""
    return f"'{to_sql(moment)}'"
