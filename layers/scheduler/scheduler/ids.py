"""UUIDs that sort by the time of their creation."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from uuid import UUID

NewId = Callable[[], str]


def uuid7() -> str:
    """Return a UUID of version 7, so that new rows are neighbours in the index (RFC 9562, 5.7).

    The 12 bits after the milliseconds hold the fraction of the millisecond, so that ids which one
    process makes within a millisecond are in order too (RFC 9562, 6.2, method 3).
    """
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    tail = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail))


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID in canonical form.

    Others must not be looked up: MariaDB rejects the comparison of an ASCII column with an emoji.
    """
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
