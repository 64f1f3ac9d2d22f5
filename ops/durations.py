"""Durations as operators write them: ``90s``, ``30m``, ``2h``, ``7d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from operations.errors import InvalidInputError

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"(\d{1,5})([smhd])")


def parse_duration(given: str) -> timedelta:
    """Parse a duration such as ``90s``, ``30m``, ``2h`` or ``7d``.

    Raises:
        InvalidInputError: the text has another form.
    """
    found = _DURATION.fullmatch(given)
    if not found:
        raise InvalidInputError(f"{given!r} is not a duration; write 90s, 30m, 2h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def parse_length(given: str) -> timedelta:
    """Parse the duration of something, which cannot be zero.

    Raises:
        InvalidInputError: the text has another form, or is a duration of zero.
    """
    length = parse_duration(given)
    if not length:
        raise InvalidInputError(f"{given!r} is no time at all; write 90s, 30m, 2h or 7d")
    return length
