"""Writes the changes recorded in a work, with one statement for each kind of change.

PyMySQL's ``executemany`` sends all rows in one statement only for ``INSERT … VALUES (%s, …)``, and
sends nothing for no rows. Changed rows are therefore upserted; they exist and are locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from scheduler.database import (
    allocation_events,
    notifications,
    processed_messages,
    release_reasons,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.processed_messages import ProcessedMessage
    from scheduler.domain.changes import Grant, Release
    from scheduler.domain.guard import Mark, MarkKey
    from scheduler.domain.model import Device, User
    from scheduler.domain.work import Work
    from scheduler.ids import NewId

_Row: TypeAlias = tuple[object, ...]

_NEW_USERS: Final = """
    INSERT INTO users
        (id, status, billing_hold, hold_in_debt, paid_in_debt_at, stopped_at, max_devices,
        max_cpu, max_memory_mb)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
# The addresses and the time zone of deleted users are erased.
_USERS: Final = f"""{_NEW_USERS}
    ON DUPLICATE KEY UPDATE status = VALUES(status), billing_hold = VALUES(billing_hold),
        hold_in_debt = VALUES(hold_in_debt), paid_in_debt_at = VALUES(paid_in_debt_at),
        stopped_at = VALUES(stopped_at),
        max_devices = VALUES(max_devices), max_cpu = VALUES(max_cpu),
        max_memory_mb = VALUES(max_memory_mb),
        email = IF(VALUES(status) = 'deleted', NULL, email),
        phone = IF(VALUES(status) = 'deleted', NULL, phone),
        time_zone = IF(VALUES(status) = 'deleted', NULL, time_zone)
"""
_NEW_DEVICES: Final = """
    INSERT INTO devices
        (id, name, status, health, cpu_cores, memory_mb, storage_mb, adb_host, adb_port, edited_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
# A device that is created again has another address; somebody else's device may have the old one.
_DEVICES: Final = f"""{_NEW_DEVICES}
    ON DUPLICATE KEY UPDATE name = VALUES(name), status = VALUES(status),
        health = VALUES(health), cpu_cores = VALUES(cpu_cores),
        memory_mb = VALUES(memory_mb), storage_mb = VALUES(storage_mb),
        adb_host = IF(VALUES(health) = 'deleted', NULL, COALESCE(VALUES(adb_host), adb_host)),
        adb_port = IF(VALUES(health) = 'deleted', NULL, COALESCE(VALUES(adb_port), adb_port)),
        edited_at = COALESCE(VALUES(edited_at), edited_at)
"""
_GRANTS: Final = """
    INSERT INTO allocations
        (id, user_id, device_id, status, allocated_at, expires_at, allocated_by)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
# All columns must be given, but only the expiry of the existing row is changed.
_EXPIRIES: Final = f"""{_GRANTS}
    ON DUPLICATE KEY UPDATE expires_at = VALUES(expires_at)
"""
_EXTENSIONS: Final = """
    INSERT INTO allocation_extensions (allocation_id, extended_at, expires_at, extended_by)
    VALUES (%s, %s, %s, %s)
"""
_LAST_ALLOCATED: Final = """
    UPDATE devices SET last_allocated_at = %s WHERE id IN %s
"""
_RELEASES: Final = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at,
        released_at, duration_seconds, release_code, release_reason, release_details, released_by)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE status = VALUES(status), released_at = VALUES(released_at),
        duration_seconds = VALUES(duration_seconds), release_code = VALUES(release_code),
        release_reason = VALUES(release_reason), release_details = VALUES(release_details),
        released_by = VALUES(released_by)
"""
_MARKS: Final = """
    INSERT INTO event_versions (aggregate, id, concern, occurred_at, version, unversioned_at)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE version = VALUES(version), occurred_at = VALUES(occurred_at),
        unversioned_at = VALUES(unversioned_at)
"""

_EARLY_REPORTS: Final = """
    INSERT INTO early_reports (device_id, health, occurred_at, version) VALUES (%s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE health = VALUES(health), occurred_at = VALUES(occurred_at),
        version = VALUES(version)
"""


def commit(
    cursor: Cursor, work: Work, processed: Sequence[ProcessedMessage], new_id: NewId
) -> None:
    """Write the processed messages and all changes recorded in a work.

    Raises:
        pymysql.MySQLError: a statement was refused; the caller rolls back.
    """
    processed_messages.write(cursor, work, processed)
    users = [work.users[id_] for id_ in work.changed_users]
    cursor.executemany(_NEW_USERS, [_user_row(user) for user in users if not user.known])
    cursor.executemany(_USERS, [_user_row(user) for user in users if user.known])
    devices = [work.devices[id_] for id_ in work.changed_devices]
    cursor.executemany(_NEW_DEVICES, [_device_row(one) for one in devices if not one.known])
    cursor.executemany(_DEVICES, [_device_row(one) for one in devices if one.known])
    # Before the grants: a released device may be allocated again, and can have one holder only.
    cursor.executemany(_RELEASES, [_release_row(one) for one in work.releases.values()])
    _write_grants(cursor, list(work.grants.values()), work.now)
    _write_extensions(cursor, list(work.extensions.values()), work.now)
    cursor.executemany(_MARKS, [_mark_row(key, work.marks[key]) for key in work.changed_marks])
    reports = [(id_, work.early_reports[id_]) for id_ in work.changed_reports]
    cursor.executemany(_EARLY_REPORTS, [(id_, one.health, *one.stamp) for id_, one in reports])
    notifications.write(cursor, work, new_id)
    allocation_events.write(cursor, work)
    if work.erased_users:
        from scheduler.database import erasures  # noqa: PLC0415 - few batches need it

        erasures.begin(cursor, [work.user(id_) for id_ in work.erased_users], work.now)


def _write_grants(cursor: Cursor, grants: Sequence[Grant], now: datetime) -> None:
    if grants:
        cursor.executemany(_GRANTS, [_grant_row(one) for one in grants])
        devices = tuple(one.allocation.device_id for one in grants)
        cursor.execute(_LAST_ALLOCATED, (now, devices))


def _write_extensions(cursor: Cursor, extensions: Sequence[Grant], now: datetime) -> None:
    cursor.executemany(_EXPIRIES, [_grant_row(one) for one in extensions])
    cursor.executemany(_EXTENSIONS, [_extension_row(one, now) for one in extensions])


def _user_row(user: User) -> _Row:
    quota = user.quota
    return (
        user.id,
        user.status,
        user.billing_hold,
        user.hold_in_debt,
        user.paid_in_debt_at,
        user.stopped_at,
        quota.max_devices,
        quota.max_cpu,
        quota.max_memory_mb,
    )


def _device_row(device: Device) -> _Row:
    return (
        device.id,
        device.name,
        device.status,
        device.health,
        device.cpu_cores,
        device.memory_mb,
        device.storage_mb,
        device.adb_host,
        device.adb_port,
        device.edited_at,
    )


def _release_row(release: Release) -> _Row:
    allocation, released_at = release.allocation, release.released_at
    return (
        allocation.id,
        allocation.user_id,
        allocation.device_id,
        "EXPIRED" if release.expired else "RELEASED",
        allocation.allocated_at,
        released_at,  # expires_at: must be given, but the existing row keeps its own
        released_at,
        release.duration_seconds,
        *release_reasons.to_columns(release.reason),
        release.actor or None,
    )


def _grant_row(grant: Grant) -> _Row:
    allocation = grant.allocation
    return (
        allocation.id,
        allocation.user_id,
        allocation.device_id,
        "ALLOCATED",
        allocation.allocated_at,
        grant.expires_at,
        grant.actor or None,
    )


def _extension_row(extension: Grant, now: datetime) -> _Row:
    return (extension.allocation.id, now, extension.expires_at, extension.actor or None)


def _mark_row(key: MarkKey, mark: Mark) -> _Row:
    return (*key, *mark)
