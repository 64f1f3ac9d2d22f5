"""A device, or else a place in line."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from allocation_api.allocations import shown as allocations
from allocation_api.waiting import shown as waiting
from scheduler.allocation import record
from scheduler.allocation.allocator import InLineError
from scheduler.allocation.refusal import Refusal, RefusedError
from scheduler.allocation.waiting import place as places

if TYPE_CHECKING:
    from allocation_api.allocations.models import Allocation
    from allocation_api.waiting.models import WaitingPlace
    from scheduler.allocation.allocator import Allocator, Wanted
    from scheduler.allocation.waiting.queue import WaitingLine
    from scheduler.database.connection import Database


class Desk:
    """Answers requests for a device by those who are ready to wait. Not for several threads."""

    def __init__(self, database: Database, allocator: Allocator, line: WaitingLine) -> None:
        self._database = database
        self._allocator = allocator
        self._line = line

    def ask(self, wanted: Wanted, actor: str) -> tuple[HTTPStatus, Allocation | WaitingPlace]:
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
            return HTTPStatus.CREATED, allocations.shown(allocation)
        except InLineError as before:
            return self._look_up(before.place_id)
        except RefusedError as refused:
            if not wanted.wait or refused.refusal is not Refusal.NO_DEVICE_AVAILABLE:
                raise
        return self._look_up(self._line.join(wanted))

    def _look_up(self, id_: str) -> tuple[HTTPStatus, Allocation | WaitingPlace]:
        with self._database.transaction() as cursor:
            if allocation := record.find(cursor, id_):
                return HTTPStatus.CREATED, allocations.shown(allocation)
            place = places.find(cursor, id_)
            if place is None:
                raise LookupError(f"neither an allocation nor a place has the id {id_}")
            return HTTPStatus.ACCEPTED, waiting.shown(cursor, [place])[0]
