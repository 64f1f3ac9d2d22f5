"""What is stored of a user's preferences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from allocation_api.preferences.models import Preferences

_FIND: Final = """
    SELECT channels, TIME_FORMAT(quiet_from, '%%H:%%i'), TIME_FORMAT(quiet_until, '%%H:%%i'),
           time_zone
    FROM notification_preferences WHERE user_id = %s
"""
_STORE: Final = """
    INSERT INTO notification_preferences (user_id, channels, quiet_from, quiet_until, time_zone)
    VALUES (%s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE channels = VALUES(channels), quiet_from = VALUES(quiet_from),
        quiet_until = VALUES(quiet_until), time_zone = VALUES(time_zone)
"""


def find(cursor: Cursor, user_id: str) -> dict[str, Any]:
    """Return a user's preferences by field; empty if he has none."""
    cursor.execute(_FIND, (user_id,))
    row = cursor.fetchone()
    if row is None:
        return {}
    channels, start, end, zone = row
    quiet_hours = {"start": start, "end": end, "time_zone": zone} if zone else None
    return {"channels": json.loads(channels), "quiet_hours": quiet_hours}


def store(cursor: Cursor, user_id: str, chosen: Preferences) -> None:
    """Replace a user's preferences."""
    quiet = chosen.quiet_hours
    hours = (quiet.start, quiet.end, quiet.time_zone) if quiet else (None, None, None)
    cursor.execute(_STORE, (user_id, json.dumps(chosen.channels), *hours))
