"""Identifiers that sort by time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from uuid import UUID

NewId = Callable[[], str]


def uuid7() -> str:
    """Return a UUID of version 7: rows inserted together lie together in the index (RFC 9562, 5.7).

    The 12 bits after the milliseconds carry the fraction of the millisecond, so ids of one
    process made within one millisecond sort by time as well (RFC 9562, 6.2, method 3).
    """
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    tail = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail))


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID as we write it; no other can be compared with our id columns.

    They hold plain ASCII: MariaDB refuses to compare them with an emoji.
    """
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
