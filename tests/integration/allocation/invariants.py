"""Invariants that hold after any changes, in any order and at the same time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from scheduler.allocation.reservation_start import GRACE_PERIOD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tests.support.store import Store

NEVER: Final = {
    "a device is held twice": """
        SELECT device_id FROM allocations WHERE status = 'ALLOCATED'
        GROUP BY device_id HAVING COUNT(*) > 1
    """,
    "a device's status and its allocation differ": """
        SELECT d.id FROM devices d LEFT JOIN allocations a
            ON a.device_id = d.id AND a.status = 'ALLOCATED'
        WHERE (d.status = 'allocated') <> (a.id IS NOT NULL)
    """,
    "a blocked user holds a device": """
        SELECT u.id FROM allocations a JOIN users u ON u.id = a.user_id
        WHERE a.status = 'ALLOCATED' AND (u.status <> 'active' OR u.billing_hold)
    """,
    "a quota is exceeded": """
        SELECT u.id FROM users u JOIN allocations a ON a.user_id = u.id AND a.status = 'ALLOCATED'
        JOIN devices d ON d.id = a.device_id GROUP BY u.id
        HAVING COUNT(*) > MAX(u.max_devices) OR SUM(d.cpu_cores) > MAX(u.max_cpu)
            OR SUM(d.memory_mb) > MAX(u.max_memory_mb)
    """,
    "a blocked user is in the waiting line": """
        SELECT u.id FROM waiting w JOIN users u ON u.id = w.user_id
        WHERE w.status = 'WAITING' AND (u.status <> 'active' OR u.billing_hold)
    """,
    "a served entry has no allocation": """
        SELECT w.id FROM waiting w LEFT JOIN allocations a ON a.id = w.id
        WHERE (w.status = 'SERVED') <> (a.id IS NOT NULL)
    """,
    "a started reservation has no allocation": """
        SELECT r.id FROM reservations r LEFT JOIN allocations a ON a.id = r.id
        WHERE (r.status = 'STARTED') <> (a.id IS NOT NULL)
    """,
    "a device is reserved twice": """
        SELECT r.id FROM reservations r JOIN reservations o ON o.device_id = r.device_id
            AND o.id > r.id AND o.starts_at < r.ends_at AND o.ends_at > r.starts_at
        WHERE r.status = 'RESERVED' AND o.status = 'RESERVED'
    """,
    "a user was not notified of an allocation": """
        SELECT a.id FROM allocations a JOIN users u ON u.id = a.user_id
        LEFT JOIN notifications n ON n.dedupe_key = CONCAT('allocation_success:', a.id)
        WHERE n.id IS NULL
    """,
}
# These hold only for sequential changes: a request that searches the pool while a reservation is
# being committed may get the reserved device; the reservation then starts with another one.
IN_ORDER: Final = {
    "an allocation lasts into a reserved slot": """
        SELECT a.id FROM allocations a JOIN reservations r ON r.device_id = a.device_id
        WHERE a.status = 'ALLOCATED' AND r.status = 'RESERVED' AND r.starts_at < a.expires_at
    """,
}
_FREE: Final = """
    SELECT d.id, d.cpu_cores, d.memory_mb, MIN(r.starts_at) FROM devices d
    LEFT JOIN reservations r ON r.device_id = d.id AND r.status = 'RESERVED'
    WHERE d.status = 'available' AND d.health = 'running' GROUP BY d.id
"""
_DUE: Final = """
    SELECT r.id, r.user_id, d.id, d.cpu_cores, d.memory_mb
    FROM reservations r JOIN devices d ON d.id = r.device_id
    WHERE r.status = 'RESERVED' AND r.starts_at <= %s
        AND d.status = 'available' AND d.health = 'running'
"""
_WAITING: Final = """
    SELECT w.id, w.user_id, w.min_cpu_cores, w.min_memory_mb, w.minutes
    FROM waiting w WHERE w.status = 'WAITING'
"""
_USERS: Final = """
    SELECT u.id, u.status = 'active' AND NOT u.billing_hold,
        CAST(u.max_devices AS SIGNED) - COUNT(d.id),
        CAST(u.max_cpu AS SIGNED) - COALESCE(SUM(d.cpu_cores), 0),
        CAST(u.max_memory_mb AS SIGNED) - COALESCE(SUM(d.memory_mb), 0)
    FROM users u LEFT JOIN allocations a ON a.user_id = u.id AND a.status = 'ALLOCATED'
    LEFT JOIN devices d ON d.id = a.device_id GROUP BY u.id
"""


@dataclass(frozen=True)
class _Headroom:
    eligible: bool
    devices: int
    cpu: int | None
    memory: int | None

    def allows(self, cpu: int, memory: int) -> bool:
        """Return whether another device of that size is within the quota."""
        return (
            self.eligible
            and self.devices > 0
            and (self.cpu is None or cpu <= self.cpu)
            and (self.memory is None or memory <= self.memory)
        )


def violations(store: Store, checks: Mapping[str, str] = NEVER) -> Mapping[str, Sequence[Any]]:
    """Return the violated invariants with the ids of the rows concerned."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    with store.database.transaction() as cursor:
        for name, query in checks.items():
            if cursor.execute(query):
                found[name] += cursor.fetchall()
    return found


def unserved_entries(store: Store, now: datetime) -> list[tuple[str, str]]:
    """Return pairs of a waiting entry and a suitable free device."""
    headrooms, free = _headrooms(store), store.rows(_FREE)
    return [
        (entry, device)
        for entry, user, min_cpu, min_memory, minutes in store.rows(_WAITING)
        for device, cpu, memory, reserved_from in free
        if cpu >= min_cpu and memory >= min_memory and headrooms[user].allows(cpu, memory)
        if reserved_from is None or reserved_from >= now + timedelta(minutes=minutes)
    ]


def unstarted_reservations(store: Store, now: datetime) -> list[tuple[str, str]]:
    """Return pairs of a due reservation and its device, which is free."""
    headrooms = _headrooms(store)
    return [
        (reservation, device)
        for reservation, user, device, cpu, memory in store.rows(_DUE, now)
        if headrooms[user].allows(cpu, memory)
    ]


def overdue(store: Store, now: datetime) -> list[Any]:
    """Return allocations, waiting entries and reservations that should have ended."""
    return store.rows(
        "SELECT id FROM allocations WHERE status = 'ALLOCATED' AND expires_at <= %s"
        " UNION SELECT id FROM waiting WHERE status = 'WAITING' AND expires_at <= %s"
        " UNION SELECT id FROM reservations WHERE status = 'RESERVED' AND starts_at <= %s",
        *(now, now, now - GRACE_PERIOD),
    )


def _headrooms(store: Store) -> dict[str, _Headroom]:
    return {id_: _Headroom(*rest) for id_, *rest in store.rows(_USERS)}
