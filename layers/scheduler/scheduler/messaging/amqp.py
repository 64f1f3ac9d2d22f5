"""What can be published again: values within the limits of AMQP 0-9-1 and of pika.

A record is JSON, which can say more than AMQP can, and RabbitMQ more than pika can. A message that
cannot be published could never be settled and would come back for ever, so what does not fit is
left out or written as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_SHORT: Final = 255
_INTEGERS: Final = range(-(1 << 63), 1 << 63)
_PRIORITIES: Final = range(256)
_MAX_DEPTH: Final = 16
_ROOM: Final = 120_000
"""Bytes for a publisher's headers: all properties of a message go in one frame of 128 KiB."""


def short_text(value: object) -> str | None:
    """Return a text of at most 255 bytes; None for anything else."""
    if not isinstance(value, str):
        return None
    fits = encodable(value) == value and len(value.encode()) <= _SHORT
    return value if fits else None


def priority(value: object) -> int | None:
    """Return a priority from 0 to 255; None for anything else."""
    return value if type(value) is int and value in _PRIORITIES else None


def headers(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a header table as pika can encode it; texts come as ``{"bytes": [signed, …]}``."""
    return _table(raw, 0)


def fitting(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return headers without the longest ones if the frame would not hold ours beside them."""
    from pika.data import encode_table  # noqa: PLC0415 - only a failure publishes

    sizes = {name: encode_table([], {name: value}) for name, value in table.items()}
    kept, excess = dict(table), sum(sizes.values()) - _ROOM
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if excess <= 0:
            break
        excess -= sizes[name]
        del kept[name]
    return kept


def encodable(text: str) -> str:
    """Return the text without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _table(raw: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    named = ((short_text(key), value) for key, value in raw.items())
    return {key: _value(value, depth + 1) for key, value in named if key is not None}


def _value(value: object, depth: int) -> object:
    if depth > _MAX_DEPTH:
        return "(nested too deep)"
    match value:
        case {"bytes": [*signed], **others} if not others:
            return _text(signed)
        case Mapping():
            return _table(value, depth)
        case list():
            return [_value(inner, depth + 1) for inner in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if value is None or (isinstance(value, int) and value in _INTEGERS):
        return value
    return encodable(str(value))  # a float too: pika has no encoding for it


def _text(signed: Sequence[object]) -> str | bytes:
    # Java bytes are signed: -28 is 0xE4.
    raw = bytes(byte & 0xFF for byte in signed if isinstance(byte, int))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
