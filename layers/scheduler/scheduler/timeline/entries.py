"""The entries of a timeline."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from scheduler.domain.guard import Aggregate

if TYPE_CHECKING:
    from datetime import datetime

MAX_OF_A_KIND = 200
"""Maximum number of entries that are read of a kind: the newest of the window."""


class EntryKind(StrEnum):
    """What an entry is about."""

    EVENT = "event"
    """A message that this service received."""
    ALLOCATION = "allocation"
    WAITING = "waiting"
    RESERVATION = "reservation"
    NOTIFICATION = "notification"
    OUTGOING = "outgoing"
    """An event that this service publishes."""


class Subject(NamedTuple):
    """The user or device that a timeline is of."""

    aggregate: Aggregate
    id: str

    @property
    def is_user(self) -> bool:
        """Return whether it is a user."""
        return self.aggregate is Aggregate.USER


class Window(NamedTuple):
    """The span of a timeline, with both ends."""

    start: datetime
    end: datetime


class MessageRef(NamedTuple):
    """A message that this service received; ``publisher`` is its AMQP app-id or user-id."""

    queue: str
    id: str
    correlation_id: str | None = None
    publisher: str | None = None


class TimelineDelivery(NamedTuple):
    """A notification on one channel; ``answer`` is what the provider said: its id, or the error."""

    channel: str
    status: str
    attempts: int
    at: datetime
    answer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """Something that happened.

    Attributes:
        at: when.
        kind: what it is about.
        action: what happened: an event type, ``allocated``, a type of notification, ….
        outcome: what came of it, such as ``applied`` or ``dead_lettered``.
        detail: why, in words.
        user_id: the user concerned.
        device_id: the device concerned.
        allocation_id: the allocation concerned, or the id of a queued request or a reservation.
        message: the message, or the one that caused it.
        caused_by: who or what caused it, as in `scheduler.domain.work.Work.actor`.
        deliveries: of a notification.
        next_step: what an operator can do about it; empty if there is nothing to do.
    """

    at: datetime
    kind: EntryKind
    action: str
    outcome: str = ""
    detail: str = ""
    user_id: str | None = None
    device_id: str | None = None
    allocation_id: str | None = None
    message: MessageRef | None = None
    caused_by: str | None = None
    deliveries: tuple[TimelineDelivery, ...] = ()
    next_step: str = ""
