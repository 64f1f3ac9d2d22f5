"""A device, or else a place in line."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from allocation_api.allocations.shown import shown as show_allocation
from allocation_api.waiting.shown import shown as show_entries
from scheduler.allocation.allocate import AlreadyWaitingError
from scheduler.database import allocations, waiting
from scheduler.domain.refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from allocation_api.allocations.models import Allocation
    from allocation_api.waiting.models import WaitingPlace
    from scheduler.allocation.allocate import AllocationRequest, Allocator
    from scheduler.allocation.waiting_line import WaitingLine
    from scheduler.database.connection import Database


class Desk:
    """Answers requests for a device by those who are ready to wait. Not for several threads."""

    def __init__(self, database: Database, allocator: Allocator, line: WaitingLine) -> None:
        self._database = database
        self._allocator = allocator
        self._line = line

    def ask(
        self, wanted: AllocationRequest, actor: str
    ) -> tuple[HTTPStatus, Allocation | WaitingPlace]:
        """Return 201 and an allocation, or 202 and a place in line.

        Raises:
            RefusedError: the user's state or his quota stands against it.
            KeyReusedError: the key belongs to another request.
            PoolContendedError, SnapshotMovedError, pymysql.MySQLError: others were faster, again
                and again.
            DatabaseUnavailableError: the database is away.
        """
        try:
            allocation = self._allocator.allocate(wanted, actor)
            return HTTPStatus.CREATED, show_allocation(allocation)
        except AlreadyWaitingError as before:
            return self._look_up(before.entry_id)
        except RefusedError as refused:
            if not wanted.wait or refused.refusal is not Refusal.NO_DEVICE_AVAILABLE:
                raise
        return self._look_up(self._line.join(wanted))

    def _look_up(self, id_: str) -> tuple[HTTPStatus, Allocation | WaitingPlace]:
        with self._database.transaction() as cursor:
            if allocation := allocations.find(cursor, id_):
                return HTTPStatus.CREATED, show_allocation(allocation)
            place = waiting.find(cursor, id_)
            if place is None:
                raise LookupError(f"neither an allocation nor a place has the id {id_}")
            return HTTPStatus.ACCEPTED, show_entries(cursor, [place])[0]
