"""Counts the running devices for the mass-failure brake, which allows a share of them to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.database import walks
from scheduler.database.walks import Walk

if TYPE_CHECKING:
    from datetime import datetime

    from pymysql.cursors import Cursor

_COUNT_RUNNING: Final = """
    SELECT COUNT(*) FROM devices FORCE INDEX (PRIMARY)
    WHERE id > %s AND id <= %s AND health = 'running'
"""
_STORE_RUNNING: Final = """
    INSERT INTO mass_failure_brake (id, running, counted_at) VALUES (1, %s, %s)
    ON DUPLICATE KEY UPDATE running = VALUES(running), counted_at = VALUES(counted_at)
"""
_ALL_DEVICES: Final = Walk("running-devices", "devices", "id", "PRIMARY")


def count_running(cursor: Cursor, rows: int, now: datetime) -> bool:
    """Count the running devices among the next rows, and tell whether all are counted now.

    Only a complete count is stored for the brake.
    """
    part = walks.take(cursor, _ALL_DEVICES, rows)
    cursor.execute(_COUNT_RUNNING, (part.after, part.until))
    ((running,),) = cursor.fetchall()
    total = part.counted + running
    if part.is_last:
        cursor.execute(_STORE_RUNNING, (total, now))
    walks.store_count(cursor, _ALL_DEVICES, 0 if part.is_last else total)
    return part.is_last
