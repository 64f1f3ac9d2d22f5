"""Gives devices that become free to those who wait for one, in the transaction that frees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.allocation.reservation import calendar
from scheduler.allocation.waiting import line
from scheduler.allocation.waiting.assign import assign
from scheduler.allocation.waiting.place import PlaceStatus, end

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from scheduler.domain.work import Work


def hand_over(cursor: Cursor, work: Work) -> None:
    """Let blocked users leave the line, and give freed devices to the first in it.

    To be called between deciding and `scheduler.database.commit.commit`, by whoever may free
    devices or block users. One statement while nobody waits, none if nothing was freed.

    Raises:
        pymysql.MySQLError: a statement was refused; the caller rolls back.
    """
    freed, blocked = work.freed_devices(), work.blocked_users()
    if not freed and not blocked:
        return
    leaving, candidates = line.concerned(cursor, blocked, freed, work.now)
    if leaving:
        end(cursor, [one.id for one in leaving], PlaceStatus.REMOVED, work.now)
    waiting = line.lock(cursor, work, candidates) if candidates else []
    if waiting:
        reserved = calendar.promised(cursor, [device.id for device in freed])
        served = assign(work, waiting, freed, reserved)
        if served:
            end(cursor, [one.id for one in served], PlaceStatus.SERVED, work.now)
