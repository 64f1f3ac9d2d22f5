"""Exact copies of dead letters as JSON.

``raw`` contains the exact letter; the other fields are for people and tools.
"""

from __future__ import annotations

import base64
import json
import struct
from typing import TYPE_CHECKING, Any, Final

from pika import BasicProperties
from pika.exceptions import AMQPError

from operations.dead_letters.describe import describe
from operations.dead_letters.letter import DeadLetter
from operations.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_READABLE: Final = ("body", "bodyText", "bodyBase64")
_MAX_READABLE: Final = 1_000_000
"""Bytes of a body."""


def to_copy(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter as JSON data; a large body is there once, so that it fits a result."""
    raw = {
        "routingKey": letter.routing_key,
        "properties": _base64(b"".join(letter.properties.encode())),
        "body": _base64(letter.body),
    }
    about = describe(letter)
    if len(letter.body) > _MAX_READABLE:
        about = {name: value for name, value in about.items() if name not in _READABLE}
    return {**about, "raw": raw}


def from_copy(copy: Mapping[str, Any], where: str) -> DeadLetter:
    """Return the letter of a copy; ``where`` names it in messages.

    Raises:
        InvalidInputError: it is not a copy of a letter, or its readable body was edited, which
            would have no effect.
    """
    try:
        raw = copy["raw"]
        properties = BasicProperties()
        properties.decode(base64.b64decode(raw["properties"], validate=True))
        body = base64.b64decode(raw["body"], validate=True)
        letter = DeadLetter(str(raw["routingKey"]), properties, body)
    except (ValueError, KeyError, TypeError, AttributeError, struct.error, AMQPError) as error:
        raise InvalidInputError(
            f"{where} is not a dead letter ({error!r}); use a file that discard has written"
        ) from None
    _refuse_edited(copy, letter, where)
    return letter


def _refuse_edited(copy: Mapping[str, Any], letter: DeadLetter, where: str) -> None:
    ours = describe(letter)
    for name in _READABLE:
        if name in copy and _normal(copy[name]) != _normal(ours.get(name)):
            raise InvalidInputError(
                f"{where}: {name} was edited, but raw.body was not, and raw is what is replayed;"
                " nothing was replayed. Replay the file as discard wrote it, then correct the"
                " letter with dead-letters edit ID if it fails again"
            )


def _normal(value: object) -> str:
    """Return a text to compare; the file cannot contain lone surrogates."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "replace").decode()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
