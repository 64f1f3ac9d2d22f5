"""Lets pika decode times in headers that `datetime` cannot represent.

Publishers write milliseconds where AMQP has seconds. Such a time is beyond the year 9999, pika
raises an error, and the connection is lost (https://github.com/pika/pika/issues/1698).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from pika import data

if TYPE_CHECKING:
    from collections.abc import Callable

_decode: Final[Callable[[bytes, int], tuple[Any, int]]] = data.decode_value
_LENGTH: Final = 9
"""The type, which is one byte, and an integer of eight bytes."""


def keep_far_times() -> None:
    """Have pika return such times as integers, in all connections of this process."""
    data.decode_value = _decode_value


def _decode_value(encoded: bytes, offset: int) -> tuple[Any, int]:
    try:
        return _decode(encoded, offset)
    except (ValueError, OverflowError, OSError):
        if encoded[offset : offset + 1] != b"T":
            raise
        # Signed, as integers in headers are: an unsigned one could not be published again.
        (value,) = struct.unpack_from(">q", encoded, offset + 1)
        return value, offset + _LENGTH
