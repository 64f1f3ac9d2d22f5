"""What a batch writes: every recorded change, set-based, in the transaction of its snapshot.

executemany of PyMySQL sends one statement only for ``INSERT … VALUES (%s, …)``, hence the upserts
where an update is meant: their rows exist and are locked.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from scheduler.database import notifications
from scheduler.notification.catalogue import reason_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.changes import Grant, Release
    from scheduler.domain.model import Allocation, Device, User
    from scheduler.domain.work import Work
    from scheduler.ids import NewId
    from scheduler.messaging.validate import Parsed

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode

_PROCESSED: Final = """
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
    VALUES (%s, %s, %s, %s)
"""
_NEW_USERS: Final = """
    INSERT INTO users (id, status, billing_hold, max_devices, max_cpu, max_memory_mb)
    VALUES (%s, %s, %s, %s, %s, %s)
"""
# A deleted user has no address left.
_USERS: Final = f"""{_NEW_USERS}
    ON DUPLICATE KEY UPDATE status = VALUES(status), billing_hold = VALUES(billing_hold),
        max_devices = VALUES(max_devices), max_cpu = VALUES(max_cpu),
        max_memory_mb = VALUES(max_memory_mb),
        email = IF(VALUES(status) = 'deleted', NULL, email),
        phone = IF(VALUES(status) = 'deleted', NULL, phone)
"""
_NEW_DEVICES: Final = """
    INSERT INTO devices
        (id, name, status, health, cpu_cores, memory_mb, storage_mb, adb_host, adb_port)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_DEVICES: Final = f"""{_NEW_DEVICES}
    ON DUPLICATE KEY UPDATE name = VALUES(name), status = VALUES(status),
        health = VALUES(health), cpu_cores = VALUES(cpu_cores),
        memory_mb = VALUES(memory_mb), storage_mb = VALUES(storage_mb),
        adb_host = COALESCE(VALUES(adb_host), adb_host),
        adb_port = COALESCE(VALUES(adb_port), adb_port)
"""
_GRANTS: Final = """
    INSERT INTO allocations
        (id, user_id, device_id, status, allocated_at, expires_at, allocated_by)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
# An upsert of the same shape as a grant; the row keeps everything but its expiry.
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
        released_at, duration_seconds, release_code, release_reason, released_by)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE status = VALUES(status), released_at = VALUES(released_at),
        duration_seconds = VALUES(duration_seconds), release_code = VALUES(release_code),
        release_reason = VALUES(release_reason), released_by = VALUES(released_by)
"""
_MARKS: Final = """
    INSERT INTO event_versions (aggregate, id, concern, version, occurred_at)
    VALUES (%s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE version = VALUES(version), occurred_at = VALUES(occurred_at)
"""
_OUTGOING: Final = """
    INSERT INTO outgoing_events (routing_key, body, created_at) VALUES (%s, %s, %s)
"""


def commit(cursor: Cursor, work: Work, effective: Sequence[Parsed], new_id: NewId) -> None:
    """Write processed ids, state, marks, notifications and outgoing events of a batch.

    Raises:
        pymysql.MySQLError: a statement was refused; the caller rolls back.
    """
    _many(cursor, _PROCESSED, _processed_rows(effective, work.now))
    _write_state(cursor, work)
    notifications.write(cursor, work, new_id)
    _many(cursor, _OUTGOING, _outgoing(work))
    if work.erased_users:
        notifications.erase(cursor, work.erased_users)


def _write_state(cursor: Cursor, work: Work) -> None:
    users = [work.users[id_] for id_ in work.changed_users]
    devices = [work.devices[id_] for id_ in work.changed_devices]
    _many(cursor, _NEW_USERS, (_user_row(user) for user in users if not user.known))
    _many(cursor, _USERS, (_user_row(user) for user in users if user.known))
    _many(cursor, _NEW_DEVICES, (_device_row(device) for device in devices if not device.known))
    _many(cursor, _DEVICES, (_device_row(device) for device in devices if device.known))
    # Before the grants: a device may pass from one to the next, and has one holder at a time.
    _many(cursor, _RELEASES, (_release_row(release) for release in work.releases.values()))
    _write_grants(cursor, work)
    _write_extensions(cursor, work)
    marks = ((*key, work.marks[key]) for key in work.changed_marks)
    _many(
        cursor,
        _MARKS,
        (
            (aggregate, id_, concern, mark.version, mark.occurred_at)
            for aggregate, id_, concern, mark in marks
        ),
    )


def _write_grants(cursor: Cursor, work: Work) -> None:
    granted = [grant.allocation.device_id for grant in work.grants.values()]
    if granted:
        cursor.executemany(_GRANTS, [_grant_row(grant) for grant in work.grants.values()])
        cursor.execute(_LAST_ALLOCATED, (work.now, tuple(granted)))


def _write_extensions(cursor: Cursor, work: Work) -> None:
    extended = work.extensions.values()
    _many(cursor, _EXPIRIES, (_grant_row(grant) for grant in extended))
    history = ((one.allocation.id, work.now, one.expires_at, one.actor or None) for one in extended)
    _many(cursor, _EXTENSIONS, history)


def _processed_rows(effective: Iterable[Parsed], now: datetime) -> Iterable[tuple[Any, ...]]:
    at = now
    return (
        (parsed.message.queue, parsed.identity.id, parsed.identity.sha256, at)
        for parsed in effective
    )


def _user_row(user: User) -> tuple[Any, ...]:
    quota = user.quota
    return (
        user.id,
        user.status,
        user.billing_hold,
        quota.max_devices,
        quota.max_cpu,
        quota.max_memory_mb,
    )


def _device_row(device: Device) -> tuple[Any, ...]:
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
    )


def _release_row(release: Release) -> tuple[Any, ...]:
    allocation, released_at = release.allocation, release.released_at
    return (
        allocation.id,
        allocation.user_id,
        allocation.device_id,
        "EXPIRED" if release.expired else "RELEASED",
        allocation.allocated_at,
        released_at,  # expires_at: the column wants a value, the existing row keeps its own
        released_at,
        release.duration_seconds,
        release.reason.code,
        reason_text(release.reason),
        release.actor or None,
    )


def _grant_row(grant: Grant) -> tuple[Any, ...]:
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


def _outgoing(work: Work) -> Iterable[tuple[str, str, datetime]]:
    at = work.now
    for release in work.releases.values():
        extra = {"reason": release.reason.code, "durationSeconds": release.duration_seconds}
        yield "device.released", _event_body(work, release.allocation, extra), at
    for routing_key, grants in (
        ("device.allocated", work.grants),
        ("device.extended", work.extensions),
    ):
        for grant in grants.values():
            extra = {"expiresAt": grant.expires_at.isoformat()}
            yield routing_key, _event_body(work, grant.allocation, extra), at


def _event_body(work: Work, allocation: Allocation, extra: dict[str, Any]) -> str:
    device = work.device(allocation.device_id)
    body = {
        "allocationId": allocation.id,
        "userId": allocation.user_id,
        "deviceId": allocation.device_id,
        **extra,
        "cpuCores": device.cpu_cores,
        "memoryMB": device.memory_mb,
        "storageMB": device.storage_mb,
        "timestamp": work.now.isoformat(),
    }
    return _encode(body)


def _many(cursor: Cursor, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    listed = list(rows)
    if listed:
        cursor.executemany(statement, listed)
