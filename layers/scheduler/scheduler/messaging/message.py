"""A received message and its identity."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ATTEMPT_HEADER: Final = "x-attempt"

_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_PLAIN_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


class Message(NamedTuple):
    """A message of an event's queue.

    ``queue`` is the event's first queue even if the message came through another shard.
    ``properties`` are the AMQP properties that are kept when the message is published again;
    headers are decoded, absent properties are missing.
    """

    queue: str
    body: bytes
    properties: Mapping[str, Any]
    sent_at: datetime | None = None
    redelivered: bool = False
    shard: int = 0

    @property
    def headers(self) -> Mapping[str, Any]:
        """Return the decoded headers; empty if there are none."""
        return self.properties.get("headers") or {}

    @property
    def delivery_key(self) -> str:
        """Return an id of the message that is known before its body is parsed."""
        given = self.properties.get("message_id")
        if isinstance(given, str) and given:
            return _storable(given)
        return f"sha256:{hashlib.sha256(self.body).hexdigest()}"

    @property
    def attempt(self) -> int:
        """Return how many attempts have failed; 0 if the header is missing or invalid."""
        value = self.headers.get(ATTEMPT_HEADER)
        return value if isinstance(value, int) and 0 <= value < 1 << 31 else 0


class MessageIdentity(NamedTuple):
    """A message's id within its queue, and the hash of its body."""

    id: str
    sha256: bytes


def identify(message: Message, body: Mapping[str, Any]) -> MessageIdentity:
    """Return the identity of a message.

    The id is the AMQP messageId, else the body's eventId, else a hash of queue and body. The body
    is hashed in canonical form, because a producer may order its keys differently after a restart.
    """
    canonical = _canonical(body).encode()
    given = message.properties.get("message_id") or body.get("eventId")
    digest = hashlib.sha256(canonical).digest()
    if not isinstance(given, str) or not given:
        whole = hashlib.sha256(message.queue.encode() + b"\0" + canonical)
        return MessageIdentity(f"sha256:{whole.hexdigest()}", digest)
    return MessageIdentity(_storable(given), digest)


def _storable(given: str) -> str:
    # An id may be any text of up to 255 bytes; the column holds 128 characters of plain ASCII.
    if _PLAIN_ID.fullmatch(given):
        return given
    return f"sha256:{hashlib.sha256(given.encode('utf-8', 'surrogatepass')).hexdigest()}"
