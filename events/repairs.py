"""What the event functions repair in a body and what they refuse, for the tables in docs/events.md.

The tables are made by validating each example, so they show the messages of the code.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from operations.event_bodies import CONTRACTS
from scheduler.messaging.body import InvalidBodyError
from scheduler.messaging.message import Message
from scheduler.messaging.validate import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.messaging.contract import Event

_RECEIVED_AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Repair(NamedTuple):
    """A body that is accepted: what is unusual about it, and the field that shows the repair."""

    what: str
    event_type: str
    body: str | bytes
    field: str


class RefusedBody(NamedTuple):
    """A body that becomes a dead letter at once."""

    what: str
    event_type: str
    body: str | bytes


_DELETED: Final = "device.deleted"
_ID: Final = '"deviceId": "d1"'
_LONG: Final = 65 * "x"

REPAIRS: Final = (
    Repair(
        "half an emoji, as JavaScript's `slice` leaves it",
        "device.failed",
        rf'{{{_ID}, "reason": "screen \ud83d dark"}}',
        "reason",
    ),
    Repair(
        "bytes that are not UTF-8",
        "device.failed",
        b'{"deviceId": "d1", "reason": "signal\xe9"}',
        "reason",
    ),
    Repair(
        "a byte order mark",
        "device.failed",
        b'\xef\xbb\xbf{"deviceId": "d1", "reason": "dark"}',
        "reason",
    ),
    Repair(
        "control characters in a text, escaped or not",
        "device.failed",
        rf'{{{_ID}, "reason": "line 1\nline 2"}}',
        "reason",
    ),
    Repair(
        "a status in another case",
        "device.status_changed",
        f'{{{_ID}, "oldStatus": "RUNNING", "newStatus": "STOPPED"}}',
        "newStatus",
    ),
    Repair(
        "a status that has no meaning here: the device leaves the pool, its holder keeps it",
        "device.status_changed",
        f'{{{_ID}, "oldStatus": "running", "newStatus": "idle"}}',
        "newStatus",
    ),
    Repair(
        "a quota type in another case",
        "user.quota_exceeded",
        '{"userId": "u1", "quotaType": "CPU", "current": 9, "limit": 8}',
        "quotaType",
    ),
    Repair(
        "no time: the AMQP timestamp, else the first receipt",
        _DELETED,
        f"{{{_ID}}}",
        "timestamp",
    ),
    Repair(
        "a time more than 5 minutes ahead, here 8 hours: the first receipt",
        _DELETED,
        f'{{{_ID}, "timestamp": "2026-03-01T20:00:00Z"}}',
        "timestamp",
    ),
    Repair(
        "a time as PostgreSQL writes it",
        _DELETED,
        f'{{{_ID}, "timestamp": "2026-03-01 18:30:00.5+08"}}',
        "timestamp",
    ),
    Repair(
        "a number as text",
        "billing.overdue",
        '{"userId": "u1", "overdueAmount": "150.50", "overdueDays": "7"}',
        "overdueAmount",
    ),
    Repair(
        "parts of a cent, as sums of floats have",
        "billing.recharged",
        '{"userId": "u1", "amount": 100, "newBalance": -2.7755575615628914e-17}',
        "newBalance",
    ),
    Repair(
        "the field names of the original device service",
        "device.created",
        f'{{{_ID}, "deviceName": "Phone", "deviceConfig": {{"storageGB": 8}}}}',
        "storageMB",
    ),
    Repair(
        "the envelope `{eventId, eventType, payload}`; its `version` is ignored",
        _DELETED,
        f'{{"eventId": "e-1", "eventType": "x", "version": "1.0", "payload": {{{_ID}}}}}',
        "eventId",
    ),
    Repair(
        "an envelope that repeats the `deviceId` or `userId`",
        "device.failed",
        f'{{"eventType": "x", "version": "1.0", {_ID}, "payload": {{{_ID}, "reason": "dark"}}}}',
        "reason",
    ),
    Repair(
        "the envelope `{pattern, data}` of NestJS microservices",
        _DELETED,
        f'{{"pattern": "x", "data": {{{_ID}}}}}',
        "deviceId",
    ),
    Repair(
        "CloudEvents 1.0, structured: `source`, `id` and `time` count",
        _DELETED,
        '{"specversion": "1.0", "source": "/fleet", "id": "c-1", "time": "2026-03-01T11:00:00Z",'
        f' "data": {{{_ID}}}}}',
        "timestamp",
    ),
)

REFUSALS: Final = (
    RefusedBody("JSON that was cut off", "device.failed", f'{{{_ID}, "reason": '),
    RefusedBody("NaN, as Python writes it", _DELETED, f'{{{_ID}, "load": NaN}}'),
    RefusedBody("an encoding other than UTF-8", _DELETED, "{}".encode("utf-16")),
    RefusedBody("a compressed body", _DELETED, b"\x1f\x8b\x08"),
    RefusedBody("no object", _DELETED, f"[{{{_ID}}}]"),
    RefusedBody("a missing field", "device.failed", f"{{{_ID}}}"),
    RefusedBody("a misspelled field", _DELETED, '{"device_id": "d1"}'),
    RefusedBody(
        "an envelope with the event as text", _DELETED, r'{"eventType": "x", "payload": "{}"}'
    ),
    RefusedBody(
        "an envelope about another user than its event",
        "user.deleted",
        '{"eventType": "x", "userId": "u1", "payload": {"userId": "u2"}}',
    ),
    RefusedBody("a name twice, with different values", _DELETED, f'{{{_ID}, "deviceId": "d2"}}'),
    RefusedBody("another type", "device.failed", f'{{{_ID}, "reason": 5}}'),
    RefusedBody("an empty id", _DELETED, '{"deviceId": ""}'),
    RefusedBody("an id that is too long", _DELETED, f'{{"deviceId": "{_LONG}"}}'),
    RefusedBody("an id with control characters or outer blanks", _DELETED, '{"deviceId": " d1"}'),
    RefusedBody("an id that a URL path cannot contain", _DELETED, '{"deviceId": "rack/1"}'),
    RefusedBody("an id that means a step in a URL path", _DELETED, '{"deviceId": ".."}'),
    RefusedBody("an id whose text is damaged", _DELETED, r'{"deviceId": "d\ud83d"}'),
    RefusedBody(
        "a time without a zone", _DELETED, f'{{{_ID}, "timestamp": "2026-03-01T12:00:00"}}'
    ),
    RefusedBody("a time in another format", _DELETED, f'{{{_ID}, "timestamp": 1772366400}}'),
    RefusedBody("a time before 2000", _DELETED, f'{{{_ID}, "timestamp": "1970-01-01T00:00:00Z"}}'),
    RefusedBody("a version that is not an integer", _DELETED, f'{{{_ID}, "version": "1.0"}}'),
    RefusedBody(
        "an amount that is not a plain decimal",
        "billing.payment_failed",
        '{"userId": "u1", "amount": "1e3", "reason": "card"}',
    ),
    RefusedBody(
        "a negative amount",
        "billing.payment_failed",
        '{"userId": "u1", "amount": -1, "reason": "card"}',
    ),
    RefusedBody(
        "true or false as a number",
        "user.quota_updated",
        '{"userId": "u1", "newQuota": {"maxDevices": false}}',
    ),
    RefusedBody(
        "an unknown type of quota",
        "user.quota_exceeded",
        '{"userId": "u1", "quotaType": "storage", "current": 9, "limit": 8}',
    ),
    RefusedBody(
        "a size that is not a number",
        "device.created",
        f'{{{_ID}, "deviceConfig": {{"storageGB": "8GB"}}}}',
    ),
    RefusedBody(
        "a quota below 0", "user.quota_updated", '{"userId": "u1", "newQuota": {"maxDevices": -1}}'
    ),
    RefusedBody("a port that does not exist", "device.created", f'{{{_ID}, "adbPort": 70000}}'),
)


def repaired(case: Repair) -> object:
    """Return the value of the field that shows a repair, as the rules see it."""
    event = _event(case.event_type, case.body)
    return event.model_dump(mode="json", by_alias=True)[case.field]


def refusal(case: RefusedBody) -> str:
    """Return the error message for a refused body.

    Raises:
        ValueError: it is not refused.
    """
    try:
        _event(case.event_type, case.body)
    except InvalidBodyError as error:
        return str(error)
    raise ValueError(f"{case.what} is not refused: {case.body!r}")


def table_of_repairs() -> Iterator[str]:
    """Yield the lines of the table of what is accepted and repaired."""
    yield "| unusual | example | counts as |"
    yield "|---|---|---|"
    for case in REPAIRS:
        yield f"| {case.what} | `{shown(case.body)}` | `{case.field}`: `{repaired(case)}` |"


def table_of_refusals() -> Iterator[str]:
    """Yield the lines of the table of what is refused."""
    yield "| wrong | example | words in `x-error` |"
    yield "|---|---|---|"
    for case in REFUSALS:
        yield f"| {case.what} | `{shown(case.body)}` | {refusal(case)} |"


def _event(event_type: str, body: str | bytes) -> Event:
    raw = body.encode() if isinstance(body, str) else body
    return parse(Message("any", raw, {}), CONTRACTS[event_type], _RECEIVED_AT).event


def shown(body: str | bytes) -> str:
    """Return a body as a table shows it."""
    text = body if isinstance(body, str) else body.decode("latin-1")
    printable = (
        one if one.isascii() and one.isprintable() else f"\\x{ord(one):02x}" for one in text
    )
    return "".join(printable).replace(_LONG, f"x… ({len(_LONG)})")
