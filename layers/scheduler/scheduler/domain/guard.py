"""The guard against outdated events: one mark per aggregate and concern.

Events of different queues overtake each other and retries come back a minute later, so an event
is compared with the newest one already applied *about the same concern*: a quota change must not
make a suspension look old.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


_SECOND: Final = timedelta(microseconds=999_999)
"""From the beginning of a second to its last microsecond."""


class Aggregate(StrEnum):
    """What a mark belongs to."""

    USER = "user"
    DEVICE = "device"


class Concern(StrEnum):
    """What an event is about; events of different concerns never outdate each other."""

    ACCOUNT = "account"
    QUOTA = "quota"
    BILLING = "billing"
    HEALTH = "health"
    CREATION = "creation"
    """Only device.created: tells a revived device from a deletion that arrives late."""


class Guard(NamedTuple):
    """How an event stands to others: what it is compared with and what it advances."""

    compares: Concern | None
    advances: tuple[Concern, ...]


class Stamp(NamedTuple):
    """When something happened: the event's time (UTC) and, if its publisher counts, its version."""

    occurred_at: datetime
    version: int | None = None


class MarkKey(NamedTuple):
    """Names one mark."""

    aggregate: Aggregate
    id: str
    concern: Concern


def latest(moment: datetime) -> datetime:
    """Return the last moment that a time may mean: a whole second means all of it."""
    return moment if moment.microsecond else moment + _SECOND


def is_outdated(event: Stamp, mark: Stamp | None) -> bool:
    """Tell whether ``event`` comes too late to matter after ``mark``.

    With versions on both sides ``version <= last`` is outdated; otherwise only a strictly older
    time is, since two events of the same instant must both count. A time of a whole second is
    compared at that precision: publishers write both ``12:00:00Z`` and ``12:00:00.300Z``.
    """
    if mark is None:
        return False
    if event.version is not None and mark.version is not None:
        return event.version <= mark.version
    return latest(event.occurred_at) < mark.occurred_at


def advanced(event: Stamp, mark: Stamp | None) -> Stamp:
    """Return the mark after ``event`` was applied; neither part ever falls."""
    if mark is None:
        return event
    versions = [v for v in (event.version, mark.version) if v is not None]
    return Stamp(max(event.occurred_at, mark.occurred_at), max(versions, default=None))
