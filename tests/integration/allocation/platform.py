"""Everything that gives or takes devices, in one process, on one clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from housekeeping.jobs import JOBS
from housekeeping.runner import Housekeeper
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
from tests.support.functions import NOWHERE, Functions

if TYPE_CHECKING:
    from scheduler.messaging.message import Message
    from tests.support.store import Store

# The others need servers besides, or look for what only a bug or a hand can leave behind.
KEEPING: Final = ("expire", "start-reservations", "expire-waiting", "serve-waiting")
RECONCILING: Final = ("reconcile-users", "reconcile-devices")


class Platform:
    """The functions around the pool, without their handlers. Not for use by several threads."""

    def __init__(
        self, store: Store, strategy: AllocationStrategy = AllocationStrategy.RESOURCE_BASED
    ) -> None:
        self.store = store
        self.clock = Clock()
        url = store.settings.database_url.get_secret_value()
        database = store.database
        units = UnitsOfWork(database, Quota(10), _nobody, self.clock)
        waiting = WaitingSettings(ALLOCATION_STRATEGY=strategy, WAITING_MINUTES=90)
        self.allocator = Allocator(units, strategy)
        self.leases = Leases(units, 10_080)
        self.line = WaitingLine(units, waiting)
        self.book = ReservationBook(units)
        self.functions = Functions(url, clock=self.clock, database=database)
        settings = HousekeepingSettings.model_validate(
            {"DATABASE_URL": url, "BROKER_URL": NOWHERE, "ALLOCATION_STRATEGY": strategy}
        )
        self._housekeeper = Housekeeper(JOBS, Tools(settings, units))

    def handle(self, *messages: Message) -> None:
        """Let the event functions consume messages, all of which are valid."""
        totals = self.functions.handle(*messages)
        assert set(totals) <= {"success", "outdated"}, totals

    def keep_house(self) -> None:
        """Do what is done every minute; the reconciler must find nothing."""
        results = self._housekeeper.run([*KEEPING, *RECONCILING], Deadline(float("inf")))
        assert {result["status"] for result in results.values()} == {"done"}, results
        assert [results[job]["handled"] for job in RECONCILING] == [0, 0], results


def _nobody() -> None:
    """Tell nobody that there is something to tell."""
