"""Protection against outdated events: one mark per aggregate and concern.

Events of different queues overtake each other, and retries arrive a minute later. So an event is
compared with the newest event that was applied *about the same concern*: a quota change must not
make an older suspension look outdated.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


_SECOND: Final = timedelta(microseconds=999_999)
"""Time from the first to the last microsecond of a second."""


class Aggregate(StrEnum):
    """The kind of object that a mark belongs to."""

    USER = "user"
    DEVICE = "device"


class Concern(StrEnum):
    """The subject of an event; events of different concerns never outdate each other."""

    ACCOUNT = "account"
    QUOTA = "quota"
    BILLING = "billing"
    HEALTH = "health"
    CREATION = "creation"
    """Set by device.created only: distinguishes a recreated device from a late deletion."""


class Guard(NamedTuple):
    """Which concern's mark an event is compared with, and which marks it advances."""

    compares: Concern | None
    advances: tuple[Concern, ...]


class Stamp(NamedTuple):
    """The time of an event (UTC) and its version, if the publisher sends one."""

    occurred_at: datetime
    version: int | None = None


class MarkKey(NamedTuple):
    """Identifies a mark."""

    aggregate: Aggregate
    id: str
    concern: Concern


def latest(moment: datetime) -> datetime:
    """Return the latest moment that a time may mean; a whole second stands for all of it."""
    return moment if moment.microsecond else moment + _SECOND


def is_outdated(event: Stamp, mark: Stamp | None) -> bool:
    """Return whether ``event`` is older than the event that set ``mark``.

    If both have a version, an event with the same or a lower version is outdated. Otherwise only a
    strictly older time is outdated, because two events of the same instant both count. A time of a
    whole second is compared at that precision: publishers write both ``12:00:00Z`` and
    ``12:00:00.300Z``.
    """
    if mark is None:
        return False
    if event.version is not None and mark.version is not None:
        return event.version <= mark.version
    return latest(event.occurred_at) < mark.occurred_at


def advanced(event: Stamp, mark: Stamp | None) -> Stamp:
    """Return the mark after ``event`` was applied; neither time nor version ever decreases."""
    if mark is None:
        return event
    versions = [v for v in (event.version, mark.version) if v is not None]
    return Stamp(max(event.occurred_at, mark.occurred_at), max(versions, default=None))
