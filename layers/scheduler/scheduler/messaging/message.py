"""A received message and its identity."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.domain.trace import TraceContext, valid_traceparent
from scheduler.messaging import amqp
from scheduler.messaging.body import InvalidBodyError, read_body
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME, subject_field

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTEMPT_HEADER: Final = "x-attempt"
RECEIVED_HEADER: Final = "x-received-at"
"""When the message was first received, in milliseconds since 1970."""
FIRST_FAILED_HEADER: Final = "x-first-failed-at"
USER_HEADER: Final = "x-published-by"
"""The AMQP user-id of the first publish; the broker accepts the property only from that user."""
IDENTITY_HEADER: Final = "x-identity"
"""The id that a message without one was given when it was first received."""
FAIL_UNTIL_HEADER: Final = "x-canary-fail-until"
"""Until when a canary's message fails its batch unless it is redelivered, as `RECEIVED_HEADER`."""
UNKNOWN_IDENTITY: Final = "unknown"
"""Value of `IDENTITY_HEADER` on a redelivered message whose given id could not be looked up."""
UNCLAIMED_BATCH_HEADER: Final = "x-unclaimed-batch"
"""The batch in which a message without an id was parked before it could be given one, and the
messages before and after it: their delivery keys, separated by blanks, empty if there are none."""

TRACEPARENT_HEADER: Final = "traceparent"
_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FIRST_RECEIPT: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""An earlier time in the header was not written here; another service may count seconds there."""
_GIVEN_PREFIX: Final = "content:"
_REPLACEMENT: Final = "\ufffd"
"""What stands for bytes that are not UTF-8."""
_PLAIN_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


class _Fields(NamedTuple):
    queue: str
    body: bytes
    properties: Mapping[str, Any]
    sent_at: datetime | None = None
    redelivered: bool = False
    shard: int = 0
    amqp_user: str | None = None


class Message(_Fields):
    """A message of an event's queue.

    ``queue`` is the event's first queue even if the message came through another shard.
    ``properties`` are the AMQP properties that are kept when the message is published again;
    headers are decoded, absent properties are missing. ``amqp_user`` is the AMQP user-id.
    """

    @cached_property
    def trace(self) -> TraceContext:
        """Return what the publisher set to follow the message."""
        traceparent = valid_traceparent(self.headers.get(TRACEPARENT_HEADER))
        return TraceContext(self.properties.get("correlation_id"), traceparent)

    @property
    def first_user(self) -> str | None:
        """Return the AMQP user-id with which the message was first published, if it was set."""
        value = self.headers.get(USER_HEADER)
        return self.amqp_user or (amqp.short_text(value) if value else None)

    @property
    def publisher(self) -> str | None:
        """Return who published it: the AMQP app-id, else the user-id, where given."""
        app: str | None = self.properties.get("app_id")
        return app or self.first_user

    @cached_property
    def headers(self) -> Mapping[str, Any]:
        """Return the decoded headers; empty if there are none."""
        return self.properties.get("headers") or {}

    @cached_property
    def message_id(self) -> str | None:
        """Return the AMQP message-id, if it identifies the message."""
        return _identifying(self.properties.get("message_id"))

    @cached_property
    def delivery_key(self) -> str:
        """Return an id of the message that is known before its body is parsed."""
        if self.message_id:
            return stored_id(self.message_id)
        return f"sha256:{hashlib.sha256(self.body).hexdigest()}"

    def first_received(self, now: datetime) -> datetime:
        """Return when the message was received for the first time, in milliseconds.

        The header travels with it through retries, dead letters and replays. Messages from before
        it existed tell when they failed for the first time.
        """
        value = self.headers.get(RECEIVED_HEADER)
        if type(value) is int and to_milliseconds(_FIRST_RECEIPT) <= value <= to_milliseconds(now):
            return _EPOCH + value * _MILLISECOND
        failed_at = _aware_time(self.headers.get(FIRST_FAILED_HEADER))
        moment = failed_at if failed_at and failed_at <= now else now
        return _EPOCH + to_milliseconds(moment) * _MILLISECOND

    @property
    def has_unknown_id(self) -> bool:
        """Return whether it may have been given an id before an earlier receipt."""
        return self.headers.get(IDENTITY_HEADER) == UNKNOWN_IDENTITY

    @property
    def unclaimed_batch(self) -> str:
        """Return the batch in `UNCLAIMED_BATCH_HEADER`; empty if there is none."""
        return self._unclaimed[0]

    @property
    def unclaimed_neighbours(self) -> tuple[str, str]:
        """Return the messages before and after it in `UNCLAIMED_BATCH_HEADER`; perhaps empty."""
        return self._unclaimed[1:]

    @cached_property
    def _unclaimed(self) -> tuple[str, str, str]:
        value = self.headers.get(UNCLAIMED_BATCH_HEADER)
        keys = value.split(" ") if isinstance(value, str) else []
        batch, before, after = (stored_id(key) if key else "" for key in [*keys, "", "", ""][:3])
        return batch, before, after

    @property
    def attempt(self) -> int:
        """Return how many attempts have failed; 0 if the header is missing or invalid."""
        value = self.headers.get(ATTEMPT_HEADER)
        return value if isinstance(value, int) and 0 <= value < 1 << 31 else 0


class MessageIdentity(NamedTuple):
    """A message's id within its queue, and the hash of its body.

    The id is empty if the publisher gave none and the message was not received before
    (`scheduler.pipeline.unidentified` then gives it one).
    """

    id: str
    sha256: bytes


def identify(message: Message, body: Mapping[str, Any]) -> MessageIdentity:
    """Return the identity of a message.

    The id is the AMQP messageId, else the body's eventId, else the one that an earlier receipt
    put into the headers. The body is hashed in canonical form, because a publisher may order its
    keys differently after a restart.
    """
    digest = hashlib.sha256(_canonical(body).encode()).digest()
    given = message.message_id or _identifying(body.get("eventId"))
    if given:
        return MessageIdentity(stored_id(given), digest)
    earlier = message.headers.get(IDENTITY_HEADER)
    if isinstance(earlier, str) and earlier.startswith(_GIVEN_PREFIX):
        return MessageIdentity(stored_id(earlier), digest)
    return MessageIdentity("", digest)


def known_id(message: Message) -> str:
    """Return the id by which operators find a message, whether or not its body is valid.

    The timeline, the logs and the selection of dead letters use it. It is the message's identity;
    without one, a hash of the body.
    """
    queue = WORK_QUEUE_BY_NAME.get(message.queue)
    subject = subject_field(queue.event_type if queue else "")
    try:
        body = {} if message.message_id else read_body(message.body, subject)
    except InvalidBodyError:
        body = {}
    return identify(message, body).id or message.delivery_key


def given_id(sha256: bytes, unique: str) -> str:
    """Return an id for a message whose publisher gave none: its content and something unique."""
    return f"{_GIVEN_PREFIX}{sha256.hex()}:{unique}"


def is_given(identity: MessageIdentity) -> bool:
    """Return whether this service gave a message its id."""
    return identity.id.startswith(_GIVEN_PREFIX)


def _identifying(given: object) -> str | None:
    """Return an id, or None if it is blank or damaged: different ones would look alike.

    If a publisher sends UUIDs as raw bytes, most of the bytes are replaced by U+FFFD.
    """
    usable = isinstance(given, str) and given.strip() and _REPLACEMENT not in given
    return str(given) if usable else None


def stored_id(given: str) -> str:
    """Return the id under which a publisher's id is stored: itself if it is plain, else a hash.

    An id may be any text of up to 255 bytes; the columns hold 128 characters of plain ASCII.
    """
    if _PLAIN_ID.fullmatch(given):
        return given
    return f"sha256:{hashlib.sha256(given.encode('utf-8', 'surrogatepass')).hexdigest()}"


def to_milliseconds(moment: datetime) -> int:
    """Return the milliseconds since 1970, as `RECEIVED_HEADER` holds them."""
    return (moment - _EPOCH) // _MILLISECOND


def _aware_time(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
