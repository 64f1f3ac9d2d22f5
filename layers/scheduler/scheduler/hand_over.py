"""Allocates freed devices to waiting users in the transaction that frees them.

That transaction has locked the devices. Waiting for the row locks of users now could deadlock, so
users locked by another transaction are skipped; housekeeping serves them within a minute. It also
serves them if their rows are refused: then the change runs again without handing over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from scheduler.database import reservations, waiting
from scheduler.domain.notices import NoticeKind
from scheduler.domain.reservation import ReservationStatus
from scheduler.domain.waiting import BY_WAITING_LINE, WaitingEntry, WaitingStatus, assign
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from scheduler.domain.model import Device
    from scheduler.domain.work import Work

Assign: TypeAlias = Callable[
    ["Work", Iterable[WaitingEntry], Iterable["Device"], Mapping[str, datetime]],
    list[WaitingEntry],
]
"""Allocates free devices to waiting entries and returns the entries served."""

_logger: Final = service_logger()


def hand_over(cursor: Cursor, work: Work, assign: Assign = assign, *, serves_waiting: bool) -> None:
    """Remove blocked users from the waiting line, and allocate freed devices to the first entries.

    The reservations of suspended and deleted users end. Called only by the unit of work, between
    deciding and committing. Costs no statement if nothing was freed, and one if no user waits.

    Args:
        cursor: of the transaction.
        work: what was decided.
        assign: allocates the devices.
        serves_waiting: False leaves the freed devices free.

    Raises:
        pymysql.MySQLError: a statement was refused; the caller rolls back.
    """
    freed = work.changed_free_devices() if serves_waiting else []
    blocked = work.changed_blocked_users()
    if not freed and not blocked:
        return
    ended = work.changed_ended_users()
    found = waiting.affected(cursor, blocked, ended, freed, work.now)
    if found.leaving:
        waiting.end(cursor, [one.id for one in found.leaving], WaitingStatus.REMOVED, work.now)
    if found.reserved:
        _end_reservations(cursor, work, found.reserved)
    line = waiting.lock(cursor, work, found.candidates) if found.candidates else []
    if line:
        reserved = reservations.reserved_from(cursor, [device.id for device in freed])
        if served := _assigned(work, line, freed, reserved, assign):
            waiting.end(cursor, [one.id for one in served], WaitingStatus.SERVED, work.now)


def _end_reservations(
    cursor: Cursor, work: Work, reserved: Sequence[tuple[str, str, datetime]]
) -> None:
    """End reservations, and notify their users, except deleted ones."""
    for id_, user_id, start in reserved:
        work.begin(id_)
        work.notify(user_id, NoticeKind.RESERVATION_FAILED_ACCOUNT, starts_at=start)
    ids = [id_ for id_, _, _ in reserved]
    reservations.end(cursor, ids, ReservationStatus.FAILED, work.now)


def _assigned(
    work: Work,
    line: Iterable[WaitingEntry],
    freed: Iterable[Device],
    reserved: Mapping[str, datetime],
    assign: Assign,
) -> list[WaitingEntry]:
    """Return the entries served; none if assigning fails, which must not undo the releases."""
    work.begin(BY_WAITING_LINE)
    try:
        return assign(work, line, freed, reserved)
    except Exception:
        work.undo()
        _logger.exception("Could not serve the waiting line; the freed devices stay free")
        return []
