"""Serves the line from the pool: what no transaction handed over when it freed a device."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.allocation.pick import PoolContendedError, Stock
from scheduler.allocation.refusal import RefusedError
from scheduler.allocation.waiting import line
from scheduler.allocation.waiting.assign import BY_LINE, room_of
from scheduler.allocation.waiting.place import PlaceStatus, end

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.allocation.waiting.place import Place
    from scheduler.domain.model import Device
    from scheduler.domain.work import Work
    from scheduler.settings import AllocationStrategy


def serve(
    cursor: Cursor, work: Work, places: Sequence[Place], strategy: AllocationStrategy
) -> None:
    """Give free devices of the pool to those of the given places that still wait; then commit.

    Users and devices that somebody else holds are passed over: whoever comes next finds them.

    Raises:
        pymysql.MySQLError: a statement was refused; the caller rolls back.
    """
    waiting = line.lock(cursor, work, places)
    stock = Stock(cursor, strategy, Counter(place.wish for place in waiting))
    served = []
    for place in waiting:
        until = work.now + timedelta(minutes=place.minutes)
        if device := _take(stock, work, place, until):
            work.allocate(place.id, place.user_id, device, until, cause=BY_LINE)
            served.append(place.id)
    if served:
        end(cursor, served, PlaceStatus.SERVED, work.now)


def _take(stock: Stock, work: Work, place: Place, until: datetime) -> Device | None:
    room = room_of(work, place)
    if room is None:
        return None
    try:
        return stock.take(place.wish, room, until)
    except (RefusedError, PoolContendedError):
        return None
