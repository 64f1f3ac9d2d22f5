"""A message as the pipeline sees it, and its identity."""

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
    """One message of an event's queue, whichever of its shards it came through.

    ``properties`` are the AMQP properties that survive every hop, headers decoded; absent ones
    are left out. ``attempt`` counts the tries that failed so far.
    """

    queue: str
    body: bytes
    properties: Mapping[str, Any]
    sent_at: datetime | None = None
    redelivered: bool = False
    shard: int = 0

    @property
    def headers(self) -> Mapping[str, Any]:
        """Return the headers, decoded; never None."""
        return self.properties.get("headers") or {}

    @property
    def delivery_key(self) -> str:
        """Return what names the message before anybody dared to look into its body."""
        given = self.properties.get("message_id")
        if isinstance(given, str) and given:
            return _storable(given)
        return f"sha256:{hashlib.sha256(self.body).hexdigest()}"

    @property
    def attempt(self) -> int:
        """Return how many tries of this message have failed; 0 when the header makes no sense."""
        value = self.headers.get(ATTEMPT_HEADER)
        return value if isinstance(value, int) and 0 <= value < 1 << 31 else 0


class Identity(NamedTuple):
    """What makes a message the same one again: its id within a queue, and its content."""

    id: str
    sha256: bytes


def identify(message: Message, body: Mapping[str, Any]) -> Identity:
    """Return the identity: AMQP messageId, else body eventId, else a hash of queue and body.

    The body is compared in canonical form: a producer that writes its keys in another order
    after a restart still sends the same event.
    """
    canonical = _canonical(body).encode()
    given = message.properties.get("message_id") or body.get("eventId")
    digest = hashlib.sha256(canonical).digest()
    if not isinstance(given, str) or not given:
        whole = hashlib.sha256(message.queue.encode() + b"\0" + canonical)
        return Identity(f"sha256:{whole.hexdigest()}", digest)
    return Identity(_storable(given), digest)


def _storable(given: str) -> str:
    # Any text may be an id (emoji, 255 bytes); the column holds 128 characters of plain ASCII.
    if _PLAIN_ID.fullmatch(given):
        return given
    return f"sha256:{hashlib.sha256(given.encode('utf-8', 'surrogatepass')).hexdigest()}"
