"""The audit table: what operators changed, recorded before it is done and when it has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pymysql.cursors import Cursor

_BEGIN: Final = """
    INSERT INTO operator_actions (caller, operation, arguments, began_at) VALUES (%s, %s, %s, %s)
"""
_END: Final = "UPDATE operator_actions SET ended_at = %s, result = %s WHERE id = %s"
_MAX_CALLER: Final = 512
_MAX_RESULT: Final = 1000


def begin(
    cursor: Cursor, caller: str, operation: str, arguments: Mapping[str, Any], now: datetime
) -> int:
    """Record that an action begins, and return its id."""
    text = json.dumps(arguments)
    cursor.execute(_BEGIN, (caller[:_MAX_CALLER], operation, text, now))
    return int(cursor.lastrowid)


def end(cursor: Cursor, action: int, result: str, now: datetime) -> None:
    """Record how an action ended."""
    cursor.execute(_END, (now, result[:_MAX_RESULT], action))
