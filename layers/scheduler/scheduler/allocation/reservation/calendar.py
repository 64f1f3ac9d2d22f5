"""When which device is promised to whom. Times in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymysql.cursors import Cursor

_PROMISED: Final = """
    SELECT device_id, MIN(starts_at) FROM reservations FORCE INDEX (calendar)
    WHERE device_id IN %s AND status = 'RESERVED' GROUP BY device_id
"""


def promised(cursor: Cursor, device_ids: Collection[str]) -> dict[str, datetime]:
    """Return from when devices are promised to somebody; those that are not are left out."""
    cursor.execute(_PROMISED, (tuple(device_ids),))
    return {device_id: at.replace(tzinfo=UTC) for device_id, at in cursor.fetchall()}
