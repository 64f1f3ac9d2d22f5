"""Finds old letters that would take a device from a user who got it after the event.

A device event releases the device however late it arrives, because the device is broken. The
letter of a failure last week may be about a device that has been repaired since, without an event
that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from device_events.contracts import (
    DeviceDeleted,
    DeviceFailed,
    DeviceMaintenance,
    DeviceStatusChanged,
)
from operations.errors import InvalidInputError, OpsError
from scheduler.database import allocations
from scheduler.messaging.body import InvalidBodyError
from scheduler.messaging.message import RECEIVED_HEADER, Message, to_milliseconds
from scheduler.messaging.topology import WorkQueue
from scheduler.messaging.validate import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pymysql.cursors import Cursor

    from operations.context import OperationContext
    from operations.dead_letters.letter import DeadLetter
    from scheduler.database.allocations import Holder

MAX_AGE: Final = timedelta(days=1)
"""Events up to this age are replayed without a question."""
_MAX_TAKEOVERS: Final = 1000

_CONTRACTS: Final = {
    WorkQueue(contract.event_type).name: contract
    for contract in (DeviceFailed, DeviceDeleted, DeviceMaintenance, DeviceStatusChanged)
}
RELEASING_QUEUES: Final = frozenset(_CONTRACTS)


@dataclass(frozen=True, slots=True)
class OldRelease:
    """A letter that releases a device, with the time of its event in UTC."""

    letter_id: str
    event_type: str
    device_id: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Takeover:
    """A release that would take the device from its present holder."""

    release: OldRelease
    holder: Holder

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "id": self.release.letter_id,
            "eventType": self.release.event_type,
            "deviceId": self.release.device_id,
            "occurredAt": self.release.occurred_at.isoformat(),
            "holder": self.holder.user_id,
            "heldSince": self.holder.since.isoformat(),
        }


def old_release(letter: DeadLetter, now: datetime) -> OldRelease | None:
    """Return the release of a letter whose event is older than `MAX_AGE`; None for others.

    The time of the event is that of the pipeline (`scheduler.messaging.validate.parse`).
    """
    contract = _CONTRACTS.get(letter.source_queue)
    received_at = letter.received_at
    if contract is None:
        return None
    headers = {RECEIVED_HEADER: to_milliseconds(received_at)} if received_at else {}
    message = Message(letter.source_queue, letter.body, {"headers": headers}, sent_at(letter))
    try:
        event = parse(message, contract, now).event
    except InvalidBodyError:
        return None  # it fails again
    if isinstance(event, DeviceStatusChanged) and not event.releases:
        return None
    if now - event.occurred_at <= MAX_AGE:
        return None
    return OldRelease(letter.id, event.event_type, event.subject_id, event.occurred_at)


def find_takeovers(cursor: Cursor, releases: Iterable[OldRelease]) -> list[Takeover]:
    """Return the releases whose devices were allocated after the event, with one query."""
    listed = list(releases)
    holders = allocations.holders(cursor, {release.device_id for release in listed})
    return [
        Takeover(release, holder)
        for release in listed
        if (holder := holders.get(release.device_id)) and holder.since > release.occurred_at
    ]


def describe_takeovers(context: OperationContext, releases: Sequence[OldRelease]) -> dict[str, Any]:
    """Return what old releases would take, as a result.

    ``takesDevices`` is None if that is unknown, and ``unchecked`` then gives the reason.
    """
    result = {"at": context.now.isoformat(), "oldLetters": len(releases)}
    if not releases:
        return result | {"takesDevices": [], "unchecked": ""}
    try:
        with context.transaction() as cursor:
            found = find_takeovers(cursor, releases)
    except InvalidInputError:
        raise
    except OpsError as error:
        return result | {"takesDevices": None, "unchecked": str(error)}
    return result | {
        "takesDevices": [one.to_json() for one in found[:_MAX_TAKEOVERS]],
        "unchecked": ""
        if len(found) <= _MAX_TAKEOVERS
        else f"only the first {_MAX_TAKEOVERS} of {len(found)} are listed",
    }


def sent_at(letter: DeadLetter) -> datetime | None:
    """Return the AMQP timestamp of a letter in UTC; None if there is none."""
    try:
        return datetime.fromtimestamp(letter.properties.timestamp, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None  # none is given, or it is beyond the calendar
