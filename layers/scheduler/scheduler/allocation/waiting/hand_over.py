"""Gives devices that become free to those who wait for one, in the transaction that frees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from aws_lambda_powertools import Logger

from scheduler.allocation.reservation import calendar
from scheduler.allocation.waiting import assign as assigning
from scheduler.allocation.waiting import line
from scheduler.allocation.waiting.place import Place, PlaceStatus, end

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from scheduler.domain.model import Device
    from scheduler.domain.work import Work

Assign: TypeAlias = Callable[
    ["Work", Iterable[Place], Iterable["Device"], Mapping[str, datetime]], list[Place]
]

_logger: Final = Logger()


def hand_over(cursor: Cursor, work: Work, assign: Assign = assigning.assign) -> None:
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
        if served := _assigned(work, waiting, freed, reserved, assign):
            end(cursor, [one.id for one in served], PlaceStatus.SERVED, work.now)


def _assigned(
    work: Work,
    waiting: Iterable[Place],
    freed: Iterable[Device],
    reserved: Mapping[str, datetime],
    assign: Assign,
) -> list[Place]:
    """Return who got a device; nobody if that fails, since it must not cost the releases."""
    work.begin(assigning.BY_LINE)
    try:
        return assign(work, waiting, freed, reserved)
    except Exception:
        work.undo()
        _logger.exception("Could not serve the line; the devices stay free")
        return []
