"""Queries on allocations: by id, by user, their history, and the devices that users hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.database.release_reasons import NO_REASON, StoredReason
from scheduler.database.rows import DEVICE_COLUMNS, DEVICE_WIDTH, to_device
from scheduler.domain.model import Allocation
from scheduler.domain.state import Snapshot
from scheduler.ids import is_uuid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor


class AllocationStatus(StrEnum):
    """The state of an allocation."""

    ALLOCATED = "ALLOCATED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class AllocationRecord:
    """An allocation, active or ended, with the address of the device and its user's locale."""

    id: str
    user_id: str
    device_id: str
    device_name: str | None
    status: AllocationStatus
    allocated_at: datetime
    expires_at: datetime
    released_at: datetime | None
    duration_seconds: int | None
    adb_host: str | None
    adb_port: int | None
    locale: str
    reason: StoredReason = NO_REASON


class Holder(NamedTuple):
    """The user of a device, and since when."""

    user_id: str
    since: datetime


class PagePosition(NamedTuple):
    """The last allocation of a page, after which the next page starts."""

    allocated_at: datetime
    id: str


class Action(StrEnum):
    """How an allocation was changed."""

    ALLOCATED = "allocated"
    EXTENDED = "extended"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An entry of an allocation's history.

    ``actor`` is ``user:<id>`` or ``event:<queue>:<message id>``; None for a scheduled job, or if
    it was not recorded.
    """

    at: datetime
    action: Action
    actor: str | None
    reason: StoredReason = NO_REASON
    expires_at: datetime | None = None


_SELECT: Final = """
    SELECT a.id, a.user_id, a.device_id, d.name, a.status, a.allocated_at, a.expires_at,
           a.released_at, a.duration_seconds, d.adb_host, d.adb_port,
           COALESCE(u.locale, ''), a.release_code, a.release_reason, a.release_details
    FROM allocations a LEFT JOIN devices d ON d.id = a.device_id
    LEFT JOIN users u ON u.id = a.user_id
"""
_BY_ID: Final = f"{_SELECT} WHERE a.id IN %s"
_NEWEST: Final = "ORDER BY a.allocated_at DESC, a.id DESC LIMIT %s"
# Spelled out because MariaDB does not turn (allocated_at, id) < (…) into an index range.
_BEFORE: Final = "AND a.allocated_at <= %s AND (a.allocated_at < %s OR a.id < %s)"
_OF_USER: Final = f"{_SELECT} WHERE a.user_id = %s {{status}} {{position}} {_NEWEST}"
_OF_DEVICE: Final = f"{_SELECT} WHERE a.device_id = %s {{position}} {_NEWEST}"

_BEGIN_AND_END: Final = """
    SELECT status, allocated_at, allocated_by, released_at, released_by, release_code,
           release_reason, release_details
    FROM allocations WHERE id = %s
"""
_EXTENSIONS: Final = """
    SELECT extended_at, extended_by, expires_at FROM allocation_extensions
    WHERE allocation_id = %s ORDER BY id
"""
_HOLDERS: Final = """
    SELECT active_device_id, user_id, allocated_at FROM allocations WHERE active_device_id IN %s
"""
_HELD_BY_USERS: Final = f"""
    SELECT {DEVICE_COLUMNS}, a.id, a.user_id, a.allocated_at
    FROM allocations a FORCE INDEX (active_by_user) JOIN devices d ON d.id = a.device_id
    WHERE a.user_id IN %s AND a.status = 'ALLOCATED'
"""  # noqa: S608 - constants


def find(cursor: Cursor, allocation_id: str) -> AllocationRecord | None:
    """Return an allocation; None for an unknown id."""
    return by_id(cursor, [allocation_id]).get(allocation_id)


def by_id(cursor: Cursor, allocation_ids: Iterable[str]) -> dict[str, AllocationRecord]:
    """Return allocations by id; unknown ids are left out."""
    wanted = tuple(filter(is_uuid, allocation_ids))
    if not wanted:
        return {}
    cursor.execute(_BY_ID, (wanted,))
    return {row[0]: _record(row) for row in cursor.fetchall()}


def holders(cursor: Cursor, device_ids: Iterable[str]) -> dict[str, Holder]:
    """Return the holders of devices by device id; devices that nobody holds are left out."""
    cursor.execute(_HOLDERS, (tuple(device_ids),))
    return {row[0]: Holder(*row[1:]) for row in cursor.fetchall()}


def of_user(
    cursor: Cursor,
    user_id: str,
    status: AllocationStatus | None,
    before: PagePosition | None,
    limit: int,
) -> list[AllocationRecord]:
    """Return a user's allocations, newest first.

    Args:
        cursor: of a transaction.
        user_id: the user.
        status: only allocations in this state; None means all.
        before: the last allocation of the previous page; None for the first page.
        limit: the maximum number of allocations.
    """
    parameters: list[object] = [user_id]
    if status:
        parameters.append(status)
    if before:
        parameters += [before.allocated_at, before.allocated_at, before.id]
    statement = _OF_USER.format(
        status="AND a.status = %s" if status else "", position=_BEFORE if before else ""
    )
    cursor.execute(statement, (*parameters, limit))
    return [_record(row) for row in cursor.fetchall()]


def of_device(
    cursor: Cursor, device_id: str, before: PagePosition | None, limit: int
) -> list[AllocationRecord]:
    """Return a device's allocations, newest first; as `of_user`."""
    position = (before.allocated_at, before.allocated_at, before.id) if before else ()
    statement = _OF_DEVICE.format(position=_BEFORE if before else "")
    cursor.execute(statement, (device_id, *position, limit))
    return [_record(row) for row in cursor.fetchall()]


def history(cursor: Cursor, allocation_id: str) -> list[HistoryEntry]:
    """Return an allocation's history, oldest first; empty for an unknown id."""
    return list(_history(cursor, allocation_id))


def held_by(cursor: Cursor, users: Collection[str]) -> Snapshot:
    """Return the active allocations of users and their devices, without locking the devices.

    The users' rows must be locked; only then can no other transaction change their allocations.
    """
    cursor.execute(_HELD_BY_USERS, (tuple(users),))
    snapshot = Snapshot()
    for row in cursor.fetchall():
        device = to_device(row[:DEVICE_WIDTH])
        id_, user_id, allocated_at = row[DEVICE_WIDTH:]
        snapshot.devices[device.id] = device
        snapshot.allocations[id_] = Allocation(id_, user_id, device.id, allocated_at)
    return snapshot


def _history(cursor: Cursor, allocation_id: str) -> Iterator[HistoryEntry]:
    cursor.execute(_BEGIN_AND_END, (allocation_id,))
    row = cursor.fetchone()
    if row is None:
        return
    status, allocated_at, allocated_by, released_at, released_by, *reason = row
    yield HistoryEntry(allocated_at, Action.ALLOCATED, allocated_by)
    cursor.execute(_EXTENSIONS, (allocation_id,))
    for at, by, until in cursor.fetchall():
        yield HistoryEntry(at, Action.EXTENDED, by, expires_at=until)
    if released_at:
        expired = status == AllocationStatus.EXPIRED
        action = Action.EXPIRED if expired else Action.RELEASED
        yield HistoryEntry(released_at, action, released_by, StoredReason(*reason))


def _record(row: tuple[Any, ...]) -> AllocationRecord:
    record = AllocationRecord(*row[: -len(NO_REASON)])
    return replace(
        record,
        status=AllocationStatus(record.status),
        reason=StoredReason(*row[-len(NO_REASON) :]),
    )
