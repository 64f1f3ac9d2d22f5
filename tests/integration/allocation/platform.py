"""Everything that allocates and releases devices, in one process and with one clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from housekeeping.jobs import JOBS
from housekeeping.runner import JobRunner
from housekeeping.settings import HousekeepingSettings
from housekeeping.tools import Tools
from scheduler.allocation.allocate import Allocator
from scheduler.allocation.leases import Leases
from scheduler.allocation.reservation_book import ReservationBook
from scheduler.allocation.waiting_line import WaitingLine
from scheduler.deadline import Deadline
from scheduler.domain.model import Quota
from scheduler.settings import AllocationStrategy, WaitingSettings
from scheduler.unit_of_work import UnitsOfWork
from tests.support.clock import Clock
from tests.support.functions import NOWHERE, OUTSIDE, Functions

if TYPE_CHECKING:
    from scheduler.messaging.message import Message
    from tests.support.store import Store

# The other jobs need other servers, or search for what only bugs and manual changes can cause.
POOL_JOBS: Final = ("expire", "start-reservations", "expire-waiting", "serve-waiting")
RECONCILER_JOBS: Final = ("reconcile-users", "reconcile-devices")


class Platform:
    """The functions that use the pool, without their handlers. Not thread-safe."""

    def __init__(
        self, store: Store, strategy: AllocationStrategy = AllocationStrategy.RESOURCE_BASED
    ) -> None:
        self.store = store
        self.clock = Clock()
        url = store.settings.database_url.get_secret_value()
        database = store.database
        units = UnitsOfWork(database, Quota(10), _no_nudge, self.clock)
        waiting = WaitingSettings(ALLOCATION_STRATEGY=strategy, WAITING_MINUTES=90)
        self.allocator = Allocator(units, strategy)
        self.leases = Leases(units, 10_080)
        self.line = WaitingLine(units, waiting)
        self.book = ReservationBook(units)
        self.functions = Functions(url, clock=self.clock, database=database)
        settings = HousekeepingSettings.model_validate(
            {"DATABASE_URL": url, "BROKER_URL": NOWHERE, "ALLOCATION_STRATEGY": strategy, **OUTSIDE}
        )
        self._jobs = JobRunner(JOBS, Tools(settings, units))

    def handle(self, *messages: Message) -> None:
        """Process messages, all of which must be valid."""
        totals = self.functions.handle(*messages)
        assert set(totals) <= {"success", "outdated"}, totals

    def keep_house(self) -> None:
        """Run the jobs of every minute; the reconciler must find nothing."""
        results = self._jobs.run([*POOL_JOBS, *RECONCILER_JOBS], Deadline(float("inf")))
        assert {result["status"] for result in results.values()} == {"done"}, results
        assert [results[job]["handled"] for job in RECONCILER_JOBS] == [0, 0], results


def _no_nudge() -> None:
    """Replace the nudge of the dispatcher, which these tests do not run."""
