"""Demo data: two users and twenty devices."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from scheduler.database.connection import connect

if TYPE_CHECKING:
    from scheduler.settings import DatabaseSettings

_USERS: Final = (
    ("user-123", 8, "user-123@cloudphone.example", "+8613800000123", "zh-CN"),
    ("user-456", 10, "user-456@cloudphone.example", "+8613800000456", "en"),
)
# CPU cores and memory in MB, assigned in turn
_SIZES: Final = ((2, 4096), (4, 4096), (4, 8192), (6, 8192), (8, 12288), (8, 16384))
_DEVICES: Final = 20

# IGNORE: rows of an earlier run stay as they are.
_INSERT_USERS: Final = (
    "INSERT IGNORE INTO users (id, max_devices, email, phone, locale) VALUES (%s, %s, %s, %s, %s)"
)
_INSERT_DEVICES: Final = (
    "INSERT IGNORE INTO devices"
    " (id, name, status, cpu_cores, memory_mb, storage_mb, adb_host, adb_port)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
# Allocated, so that the example command that is printed releases it.
_HELD: Final = "device-001"
_INSERT_ALLOCATION: Final = """\
INSERT IGNORE INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
SELECT '00000000-0000-7000-8000-000000000001', 'user-123', id, 'ALLOCATED',
       UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL 30 DAY
FROM devices WHERE id = %s AND status = 'allocated'
"""


def seed(settings: DatabaseSettings) -> None:
    """Insert two users and twenty devices, one of them allocated, unless they exist."""
    devices = [_device(number) for number in range(1, _DEVICES + 1)]
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.executemany(_INSERT_USERS, _USERS)
        cursor.executemany(_INSERT_DEVICES, devices)
        cursor.execute(_INSERT_ALLOCATION, (_HELD,))
        connection.commit()


def _device(number: int) -> tuple[str, str, str, int, int, int, str, int]:
    id_, name = f"device-{number:03}", f"Cloud phone {number:02}"
    cores, memory = _SIZES[number % len(_SIZES)]
    status = "allocated" if id_ == _HELD else "available"
    return id_, name, status, cores, memory, cores * 16384, "127.0.0.1", 5554 + 2 * number
