"""Active allocations that a job is about: found in pages, decided on under their locks.

A page is read without locks. Then the rows of its users are locked, those that nobody else holds
(the others come again in a minute), the search is repeated among them, and only what is still
found is worked on: it may have been released, extended or expired by somebody else meanwhile. Nor
are devices waited for: one that a transaction holds for long must not keep all others allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import pymysql
from aws_lambda_powertools import Logger
from pymysql.constants import ER

from housekeeping.search import Found
from scheduler.database import load
from scheduler.database.connection import DatabaseUnavailableError
from scheduler.domain.work import Work

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from housekeeping.search import Search
    from housekeeping.tools import Tools
    from scheduler.database.bulk import BulkCursor
    from scheduler.domain.model import Allocation
    from scheduler.domain.state import Snapshot

_LOCK_FREE_USERS: Final = """
    SELECT id FROM users WHERE id IN %s ORDER BY id FOR UPDATE SKIP LOCKED
"""
_LOCK_FREE_DEVICES: Final = """
    SELECT id FROM devices WHERE id IN %s ORDER BY id FOR UPDATE SKIP LOCKED
"""
_DEVICES: Final = "SELECT id FROM devices WHERE id IN %s"
_NAMED: Final = 20

_logger: Final = Logger()

Decision: TypeAlias = Callable[[Work, "Allocation", Found], None]
"""Records in the work what becomes of an allocation."""


class SomeFailedError(Exception):
    """Some of what was found could not be worked on; all else was."""


class Round:
    """One time through everything that a search finds. Iterate once: the work of each transaction.

    Raises:
        SomeFailedError: at the end: of some the transaction failed, alone as well.
        DatabaseUnavailableError: the database is away; what came out is committed.
    """

    def __init__(self, tools: Tools, search: Search, decide: Decision) -> None:
        self._tools = tools
        self._search = search
        self._decide = decide
        self._failed: list[str] = []

    def __iter__(self) -> Iterator[Work]:
        after: Found | None = None
        while page := self._page(after):
            yield from self._isolated(page)
            after = page[-1]
        if self._failed:
            named = ", ".join(self._failed[:_NAMED])
            raise SomeFailedError(f"{len(self._failed)} allocations failed: {named}")

    def _page(self, after: Found | None) -> list[Found]:
        with self._tools.database.transaction() as cursor:
            return self._search.page(cursor, after)

    def _isolated(self, page: Sequence[Found]) -> Iterator[Work]:
        """Work on a page; if that fails on its halves, so that it costs only the bad one."""
        try:
            work = self._tools.change(lambda cursor: self._work(cursor, page))
        except DatabaseUnavailableError:
            raise
        except Exception as error:
            if _is_locked(error):
                raise
            yield from self._halves(page, error)
        else:
            yield work

    def _halves(self, page: Sequence[Found], error: Exception) -> Iterator[Work]:
        if len(page) == 1:
            details = {"allocation_id": page[0].id}
            _logger.error("Allocation failed", exc_info=error, extra=details)
            self._failed.append(page[0].id)
            return
        middle = len(page) // 2
        yield from self._isolated(page[:middle])
        yield from self._isolated(page[middle:])

    def _work(self, cursor: BulkCursor, page: Sequence[Found]) -> Work:
        free = lock_free_users(cursor, {found.user_id for found in page})
        still = self._search.again(cursor, [found.id for found in page if found.user_id in free])
        busy = _busy_devices(cursor, {found.device_id for found in still})
        still = [found for found in still if found.device_id not in busy]
        snapshot = load.snapshot(cursor, (), {found.device_id for found in still})
        work = self._tools.work(snapshot)
        for found in still:
            self._decide(work, _allocation(snapshot, found), found)
        return work


def lock_free_users(cursor: BulkCursor, users: Collection[str]) -> set[str]:
    """Lock those users that nobody else works on, and return them."""
    cursor.execute(_LOCK_FREE_USERS, (sorted(users),))
    free = {user_id for (user_id,) in cursor.fetchall()}
    if busy := set(users) - free:
        _logger.info("Users are busy, what is theirs waits", extra={"users": len(busy)})
    return free


def _busy_devices(cursor: BulkCursor, devices: Collection[str]) -> set[str]:
    """Lock devices and return those that somebody else holds; one without a row is none of them."""
    if not devices:
        return set()
    cursor.execute(_LOCK_FREE_DEVICES, (sorted(devices),))
    rest = set(devices) - {id_ for (id_,) in cursor.fetchall()}
    if not rest:
        return set()
    cursor.execute(_DEVICES, (sorted(rest),))
    busy = {id_ for (id_,) in cursor.fetchall()}
    if busy:
        _logger.info("Devices are busy, they wait", extra={"devices": len(busy)})
    return busy


def _allocation(snapshot: Snapshot, found: Found) -> Allocation:
    if found.id not in snapshot.allocations:
        raise LookupError(f"device {found.device_id} of allocation {found.id} has no row")
    return snapshot.allocations[found.id]


def _is_locked(error: Exception) -> bool:
    # Halving would only wait again, once for each half.
    waited = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}
    return isinstance(error, pymysql.MySQLError) and bool(error.args) and error.args[0] in waited
