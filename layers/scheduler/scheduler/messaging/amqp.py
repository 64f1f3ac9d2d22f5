"""Converts values of a record to values that pika can publish again within AMQP 0-9-1.

JSON has values that AMQP lacks, and RabbitMQ accepts headers that pika cannot encode. A message
that cannot be published could never be settled and would be redelivered indefinitely. Therefore
values that do not fit are omitted or converted to text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_MAX_SHORT_TEXT: Final = 255
_INTEGERS: Final = range(-(1 << 63), 1 << 63)
_PRIORITIES: Final = range(256)
MAX_DEPTH: Final = 16
"""How deep headers may be nested."""
TOO_DEEP: Final = "(nested too deep)"
"""Replaces what is nested deeper."""
_MAX_PUBLISHER_HEADERS: Final = 120_000
"""Bytes; all properties of a message must fit in one frame of 128 KiB, together with our own
headers."""


def short_text(value: object) -> str | None:
    """Return a text of at most 255 bytes; None for anything else."""
    if not isinstance(value, str):
        return None
    if value.isascii():  # nearly all are; encoding and comparing takes ten times as long
        return value if len(value) <= _MAX_SHORT_TEXT else None
    fits = encodable(value) == value and len(value.encode()) <= _MAX_SHORT_TEXT
    return value if fits else None


def priority(value: object) -> int | None:
    """Return a priority from 0 to 255; None for anything else."""
    return value if type(value) is int and value in _PRIORITIES else None


def headers(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a record's headers as pika can encode them; texts are ``{"bytes": [signed, …]}``."""
    return _table(raw, 0)


def fit_in_frame(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a publisher's headers; the longest are dropped if they exceed 120,000 bytes."""
    from pika.data import encode_table  # noqa: PLC0415 - only a failure publishes

    sizes = {name: encode_table([], {name: value}) for name, value in table.items()}
    kept, excess = dict(table), sum(sizes.values()) - _MAX_PUBLISHER_HEADERS
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if excess <= 0:
            break
        excess -= sizes[name]
        del kept[name]
    return kept


def encodable(text: str) -> str:
    """Return the text with its lone surrogates replaced, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()


def _table(raw: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    named = ((short_text(key), value) for key, value in raw.items())
    return {key: _value(value, depth + 1) for key, value in named if key is not None}


def _value(value: object, depth: int) -> object:
    if depth > MAX_DEPTH:
        return TOO_DEEP
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
    return encodable(str(value))  # floats as well: pika cannot encode them


def _text(signed: Sequence[object]) -> str | bytes:
    # Java bytes are signed: -28 is 0xE4.
    raw = bytes(byte & 0xFF for byte in signed if isinstance(byte, int))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
