"""Settings and connections that the jobs share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from housekeeping.failing_items import FailingItems
from scheduler.database.connection import Database
from scheduler.domain.model import Quota
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.publisher import Publisher
from scheduler.unit_of_work import UnitsOfWork

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from housekeeping.settings import HousekeepingSettings


@dataclass(frozen=True, slots=True)
class Tools:
    """Settings and connections of one execution environment. Not thread-safe."""

    settings: HousekeepingSettings
    units: UnitsOfWork
    failing: FailingItems = field(default_factory=FailingItems)
    """The items of the current job that failed."""

    @classmethod
    def of(cls, settings: HousekeepingSettings) -> Self:
        """Return the tools of an execution environment."""
        quota, nudge = Quota(settings.default_max_devices), Nudge(Publisher(settings)).send
        return cls(settings, UnitsOfWork(Database(settings), quota, nudge))

    @property
    def database(self) -> Database:
        """Return the database of the units of work."""
        return self.units.database

    @property
    def clock(self) -> Callable[[], datetime]:
        """Return the clock of the units of work."""
        return self.units.clock

    @property
    def nudge(self) -> Callable[[], None]:
        """Return the function that wakes the notification dispatcher; it never raises."""
        return self.units.nudge
