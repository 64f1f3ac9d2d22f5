"""One pass over the active allocations that a search finds; each is decided on under locks.

A page is read without locks. Then its users are locked, except those that another transaction has
locked, which the next run finds again. The search is repeated for these users, because allocations
may have been released, extended or expired in the meantime. Locked devices are skipped as well: a
device that is locked for long must not delay the others. A lock on a row of another table, such as
an allocation, is waited for once; then the users who are blocked by it are found and skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from scheduler.database import brake as brakes
from scheduler.database import load, locked_rows
from scheduler.database.active_allocations import FoundAllocation
from scheduler.database.errors import is_conflict_without_wait, is_lock_wait
from scheduler.domain.work import Work
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from housekeeping.tools import Tools
    from scheduler.database.active_allocations import AllocationSearch
    from scheduler.domain.brake import Brake, BrakeLimits
    from scheduler.domain.model import Allocation
    from scheduler.observability.emf import Metrics
    from scheduler.unit_of_work import UnitOfWork

MAX_PAGES: Final = 15
"""Of 500 allocations. The next run continues; docs/housekeeping.md has what a run costs."""

_BRAKE_SOURCE: Final = "housekeeping"
"""The name under which the brake counts these releases; its other names are those of queues."""

_logger: Final = service_logger()

Decision: TypeAlias = Callable[[Work, "Allocation", FoundAllocation], None]
"""Records in the work what happens to an allocation."""


class SearchPass:
    """One pass over the first allocations that a search finds. Iterate once over committed works.

    If limits of the mass-failure brake are given, each decision counts as the release of a device,
    and allocations that the brake holds are left for a later run.

    Raises:
        SomeFailedError: an allocation's transaction failed, and the job has used up its time.
        DatabaseUnavailableError: the database is unavailable; the yielded works are committed.
    """

    def __init__(
        self,
        tools: Tools,
        search: AllocationSearch,
        decide: Decision,
        brake: BrakeLimits | None = None,
    ) -> None:
        self._tools = tools
        self._search = search
        self._decide = decide
        self._brake = brake

    def __iter__(self) -> Iterator[Work]:
        after: FoundAllocation | None = None
        for _ in range(MAX_PAGES):
            if not (page := self._page(after)):
                break
            yield from self._tools.failing.apart(page, self._attempt)
            after = page[-1]

    def _page(self, after: FoundAllocation | None) -> list[FoundAllocation]:
        with self._tools.database.transaction() as cursor:
            return self._search.page(cursor, after)

    def _attempt(self, page: Sequence[FoundAllocation]) -> Work:
        try:
            return self._run(page)
        except Exception as error:
            if not is_lock_wait(error):
                raise
        with self._tools.database.transaction() as cursor:
            blocked = locked_rows.find_blocked(cursor, {found.user_id for found in page}, ())
        _log_locked("Users", len(blocked))
        left = [found for found in page if found.user_id not in blocked]
        return self._run(left)

    def _run(self, page: Sequence[FoundAllocation]) -> Work:
        change = partial(self._change, page=page)
        return self._tools.units.run(change, is_conflict_without_wait)

    def _change(self, unit: UnitOfWork, page: Sequence[FoundAllocation]) -> Work:
        users = {found.user_id for found in page}
        free = load.lock_users_skip_locked(unit.cursor, users).users if users else {}
        _log_locked("Users", len(users) - len(free))
        ids = [found.id for found in page if found.user_id in free]
        still = self._search.recheck(unit.cursor, ids)
        busy = locked_rows.locked_by_others(
            unit.cursor, "devices", {found.device_id for found in still}
        )
        _log_locked("Devices", len(busy))
        still = [found for found in still if found.device_id not in busy]
        work = unit.lock(devices={found.device_id for found in still})
        brake = self._load_brake(unit, work.now) if still else None
        for found in still:
            if brake is None or brake.admit(1):
                self._decide(work, _allocation(work, found), found)
        return work

    def _load_brake(self, unit: UnitOfWork, now: datetime) -> Brake | None:
        """Return the brake for releases of this pass; each decision releases one device."""
        if self._brake is None:
            return None
        brake = brakes.query(unit.cursor, self._brake, now)()
        unit.add_write(lambda: brakes.store(unit.cursor, _BRAKE_SOURCE, brake, now))
        return brake


def report_releases(verb: str, work: Work, metrics: Metrics) -> None:
    """Log and count the allocations that a work has ended, if any."""
    for release in work.releases.values():
        metrics.add("scheduler_auto_release_total", 1, reason=release.reason.code)
    if ids := list(work.releases):
        users = sorted({release.allocation.user_id for release in work.releases.values()})
        extra = {"allocation_ids": ids, "user_ids": users}
        _logger.info("%s %d allocations", verb, len(ids), extra=extra)


def _allocation(work: Work, found: FoundAllocation) -> Allocation:
    for held in work.active_allocations(device=found.device_id):
        if held.id == found.id:
            return held
    raise LookupError(f"device {found.device_id} of allocation {found.id} has no row")


def _log_locked(what: str, count: int) -> None:
    if count:
        message = f"{what} are locked by other transactions; the next run retries"
        _logger.info(message, extra={what.lower(): count})
