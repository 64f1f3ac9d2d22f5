"""Loads and locks users and devices with their allocations and marks.

The lock order is users, then devices, each by primary key. A transaction that changes an allocation
has locked the rows of its user and its device, so allocations need no locks of their own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.database.errors import StaleSnapshotError
from scheduler.database.rows import DEVICE_COLUMNS, DEVICE_WIDTH, to_device
from scheduler.domain.guard import Aggregate, Concern, Mark, MarkKey, Stamp
from scheduler.domain.model import (
    Allocation,
    EarlyReport,
    Health,
    Quota,
    User,
    UserStatus,
)
from scheduler.domain.state import Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pymysql.cursors import Cursor

    from scheduler.database.cursor import BulkCursor, PendingResult

_PROCESSED: Final = """
    SELECT message_id, body_sha256 FROM processed_messages
    WHERE queue = %s AND message_id IN %s
"""
_NOTIFIED: Final = "SELECT dedupe_key, user_id FROM notifications WHERE dedupe_key IN %s"
_HOLDERS: Final = """
    SELECT user_id FROM allocations WHERE active_device_id IN %s
"""
_USERS: Final = """
    SELECT u.id, u.status, u.billing_hold, u.max_devices, u.max_cpu, u.max_memory_mb, u.locale,
           COALESCE(u.time_zone, p.time_zone), p.channels, u.hold_in_debt,
           u.paid_in_debt_at, u.stopped_at,
           v.concern, v.version, v.occurred_at, v.unversioned_at
    FROM users u
    LEFT JOIN notification_preferences p ON p.user_id = u.id
    LEFT JOIN event_versions v ON v.aggregate = 'user' AND v.id = u.id
    WHERE u.id IN %s ORDER BY u.id
"""
_LOCK_USERS: Final = f"{_USERS} FOR UPDATE"
_LOCK_USERS_SKIP_LOCKED: Final = f"{_LOCK_USERS} SKIP LOCKED"
# The index is forced because, for many users, the optimizer would scan all active allocations.
_HELD_DEVICES: Final = """
    SELECT device_id FROM allocations FORCE INDEX (active_by_user)
    WHERE user_id IN %s AND status = 'ALLOCATED'
"""
_LOCK_DEVICES: Final = f"""
    SELECT {DEVICE_COLUMNS}, a.id, a.user_id, a.allocated_at,
        d.edited_at, early.health, early.occurred_at, early.version,
        v.concern, v.version, v.occurred_at, v.unversioned_at
    FROM devices d
    LEFT JOIN allocations a ON a.active_device_id = d.id
    LEFT JOIN early_reports early ON early.device_id = d.id
    LEFT JOIN event_versions v ON v.aggregate = 'device' AND v.id = d.id
    WHERE d.id IN %s ORDER BY d.id FOR UPDATE
"""  # noqa: S608 - constants


def query_processed(cursor: BulkCursor, queue: str, message_ids: Collection[str]) -> PendingResult:
    """Query ids and body hashes of the messages that were already applied, without waiting."""
    return cursor.send_query(_PROCESSED, (queue, tuple(message_ids)))


def query_notified(cursor: BulkCursor, dedupe_keys: Collection[str]) -> PendingResult | None:
    """Query which notifications exist already, and whose; None for no keys. Does not wait."""
    return cursor.send_query(_NOTIFIED, (tuple(dedupe_keys),)) if dedupe_keys else None


def query_holders(cursor: BulkCursor, devices: Collection[str]) -> PendingResult | None:
    """Query the holders of devices, without waiting; None for no devices."""
    return cursor.send_query(_HOLDERS, (tuple(devices),)) if devices else None


def read_users(cursor: Cursor, users: Collection[str]) -> Snapshot:
    """Return users and their marks without locking them."""
    loaded = Snapshot()
    _read_users(loaded, _rows(cursor, _USERS, tuple(users)))
    return loaded


def lock_users_skip_locked(cursor: Cursor, users: Collection[str]) -> Snapshot:
    """Lock and return users, without those that another transaction has locked."""
    loaded = Snapshot()
    _read_users(loaded, _rows(cursor, _LOCK_USERS_SKIP_LOCKED, tuple(sorted(users))))
    return loaded


def lock_snapshot(cursor: BulkCursor, users: Collection[str], devices: Collection[str]) -> Snapshot:
    """Lock users and devices, the holders of the devices, and the devices that the users hold.

    Raises:
        StaleSnapshotError: a device was allocated to another user before it was locked.
    """
    return query_locks(cursor, users, devices, query_holders(cursor, devices)).snapshot()


def query_locks(
    cursor: BulkCursor,
    users: Collection[str],
    devices: Collection[str],
    holders: PendingResult | None,
) -> PendingSnapshot:
    """Send the queries of `lock_snapshot`, given the result of `query_holders`."""
    user_ids = {*users, *(user for (user,) in holders.rows())} if holders else set(users)
    locked_users = cursor.send_query(_LOCK_USERS, (tuple(sorted(user_ids)),)) if user_ids else None
    device_ids = set(devices)
    if users:
        held = cursor.send_query(_HELD_DEVICES, (tuple(users),))
        device_ids |= {device for (device,) in held.rows()}
    locked_devices = (
        cursor.send_query(_LOCK_DEVICES, (tuple(sorted(device_ids)),)) if device_ids else None
    )
    return PendingSnapshot(locked_users, locked_devices, user_ids)


class PendingSnapshot(NamedTuple):
    """The results of `query_locks`; more queries may be sent before `snapshot` waits for them."""

    users: PendingResult | None
    devices: PendingResult | None
    user_ids: Collection[str]

    def snapshot(self) -> Snapshot:
        """Wait for the locks and return the snapshot; see `lock_snapshot`."""
        loaded = Snapshot()
        if self.users:
            _read_users(loaded, self.users.rows())
        if self.devices:
            _read_devices(loaded, self.devices.rows())
        # A user without a row is unknown: somebody has deleted it, which no attempt can change.
        locked = {*loaded.users, *self.user_ids}
        if any(held.user_id not in locked for held in loaded.allocations.values()):
            raise StaleSnapshotError
        return loaded


def _read_users(into: Snapshot, rows: Iterable[Any]) -> None:
    for row in rows:
        id_, status, hold, devices, cpu, memory, locale, zone, channels, *more = row
        in_debt, paid, stopped, *mark = more
        if id_ not in into.users:
            into.users[id_] = User(
                id_,
                Quota(devices, cpu, memory),
                UserStatus(status),
                bool(hold),
                locale,
                time_zone=zone,
                channel_choices=json.loads(channels) if channels else {},
                has_preferences=channels is not None,
                hold_in_debt=bool(in_debt),
                paid_in_debt_at=paid,
                stopped_at=stopped,
            )
        _read_mark(into, Aggregate.USER, id_, mark)


def _read_devices(into: Snapshot, rows: Iterable[Any]) -> None:
    for row in rows:
        id_, (allocation_id, user_id, allocated_at, edited_at, *more) = row[0], row[DEVICE_WIDTH:]
        health, reported_at, version, *mark = more
        if id_ not in into.devices:
            device = to_device(row[:DEVICE_WIDTH])
            # Few were edited, and a copy takes as long as the device itself.
            into.devices[id_] = device._replace(edited_at=edited_at) if edited_at else device
            if allocation_id:
                held = Allocation(allocation_id, user_id, id_, allocated_at)
                into.allocations[allocation_id] = held
            if health:
                report = EarlyReport(Health(health), Stamp(reported_at, version))
                into.early_reports[id_] = report
        _read_mark(into, Aggregate.DEVICE, id_, mark)


def _read_mark(into: Snapshot, aggregate: Aggregate, id_: str, mark: Sequence[Any]) -> None:
    concern, version, occurred_at, unversioned_at = mark
    if concern:
        key = MarkKey(aggregate, id_, Concern(concern))
        into.marks[key] = Mark(occurred_at, version, unversioned_at)


def _rows(cursor: Cursor, statement: str, *parameters: object) -> Iterable[Any]:
    cursor.execute(statement, parameters)
    return cursor.fetchall()
