"""Lets pika decode headers that the broker accepts but that make pika lose the connection.

* Times that `datetime` cannot represent: publishers write milliseconds where AMQP has seconds,
  which is beyond the year 9999 (https://github.com/pika/pika/issues/1698).
* Tables and arrays that are nested deeper than Python's recursion limit.
"""

from __future__ import annotations

import struct
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from pika import data

from scheduler.messaging.amqp import MAX_DEPTH, TOO_DEEP

if TYPE_CHECKING:
    from collections.abc import Callable

_decode: Final[Callable[[bytes, int], tuple[Any, int]]] = data.decode_value
_TIME_LENGTH: Final = 9
"""The type, which is one byte, and an integer of eight bytes."""
_NESTED: Final = (b"F", b"A")
"""The types of tables and arrays; behind the type is the length of their content."""
_HEAD_LENGTH: Final = 5
_depth: Final = ContextVar("depth", default=0)


def accept_odd_headers() -> None:
    """Have pika return such times as integers, and a text for what is nested too deep.

    In all connections of this process.
    """
    data.decode_value = _decode_value


def _decode_value(encoded: bytes, offset: int) -> tuple[Any, int]:
    kind = encoded[offset : offset + 1]
    if kind in _NESTED:
        return _decode_nested(encoded, offset)
    try:
        return _decode(encoded, offset)
    except (ValueError, OverflowError, OSError):
        if kind != b"T":
            raise
        # Signed, as integers in headers are: an unsigned one could not be published again.
        (value,) = struct.unpack_from(">q", encoded, offset + 1)
        return value, offset + _TIME_LENGTH


def _decode_nested(encoded: bytes, offset: int) -> tuple[Any, int]:
    depth = _depth.get()
    if depth >= MAX_DEPTH:
        (length,) = struct.unpack_from(">I", encoded, offset + 1)
        return TOO_DEEP, offset + _HEAD_LENGTH + length
    token = _depth.set(depth + 1)
    try:
        return _decode(encoded, offset)
    finally:
        _depth.reset(token)
