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


class Mark(NamedTuple):
    """The newest time and the highest version of the events that were applied about a concern.

    ``unversioned_at`` is the newest time of those without a version, which only their time makes
    older or newer than others; None if there are none, or if no event had a version.
    """

    occurred_at: datetime
    version: int | None = None
    unversioned_at: datetime | None = None

    @property
    def newest_unversioned(self) -> datetime | None:
        """Return the newest time of an event that was applied without a version."""
        return self.occurred_at if self.version is None else self.unversioned_at

    def without_version(self) -> Mark:
        """Return a mark with which all events are compared by their times."""
        return Mark(self.occurred_at)


class MarkKey(NamedTuple):
    """Identifies a mark."""

    aggregate: Aggregate
    id: str
    concern: Concern


def latest(moment: datetime) -> datetime:
    """Return the latest moment that a time may mean; a whole second stands for all of it."""
    return moment if moment.microsecond else moment + _SECOND


def is_outdated(event: Stamp, mark: Mark | None) -> bool:
    """Return whether ``event`` is older than one of the events that set ``mark``.

    If both have a version, an event with the same or a lower version is outdated. Otherwise only a
    strictly older time is outdated, because two events of the same instant both count. A time of a
    whole second is compared at that precision: publishers write both ``12:00:00Z`` and
    ``12:00:00.300Z``.
    """
    if mark is None:
        return False
    newest: datetime | None = mark.occurred_at
    if event.version is not None:
        if mark.version is not None and event.version <= mark.version:
            return True
        newest = mark.newest_unversioned
    return newest is not None and latest(event.occurred_at) < newest


def advanced(event: Stamp, mark: Mark | None) -> Mark:
    """Return the mark after ``event`` was applied; neither times nor version ever decrease."""
    added = Mark(event.occurred_at, event.version)
    if mark is None:
        return added
    versions = [one.version for one in (added, mark) if one.version is not None]
    unversioned = [one.newest_unversioned for one in (added, mark) if one.newest_unversioned]
    return Mark(
        max(added.occurred_at, mark.occurred_at),
        max(versions, default=None),
        max(unversioned, default=None) if versions else None,
    )
