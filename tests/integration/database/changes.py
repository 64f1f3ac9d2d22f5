"""Changes that a unit of work makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.domain.notices import NoticeKind
from scheduler.domain.reasons import ReleaseReason
from tests.support.world import NOW

if TYPE_CHECKING:
    from scheduler.domain.work import Work
    from scheduler.unit_of_work import UnitOfWork

REASON = ReleaseReason.user_request()


def release_all(unit: UnitOfWork, user_id: str = "u1") -> Work:
    """Release all devices of a user."""
    work = unit.lock(users=[user_id])
    work.release_all(user_id, REASON)
    return work


def notify(unit: UnitOfWork) -> Work:
    """Notify a user."""
    work = unit.lock(users=["u1"])
    work.notify("u1", NoticeKind.WAITING_EXPIRED, expires_at=NOW)
    return work


def add_write(unit: UnitOfWork, statement: str) -> None:
    """Add a statement to the writes of the commit."""

    def write() -> None:
        unit.cursor.execute(statement)

    unit.add_write(write)
