"""Counts how often a redelivered message was tried without being settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from pymysql.cursors import Cursor

_ATTEMPTS: Final = """
    SELECT message_id, attempts FROM delivery_attempts WHERE queue = %s AND message_id IN %s
"""
_NOTE: Final = """
    INSERT INTO delivery_attempts (queue, message_id, attempts, last_at) VALUES (%s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE attempts = attempts + 1, last_at = VALUES(last_at)
"""
_FORGET: Final = """
    DELETE FROM delivery_attempts WHERE queue = %s AND message_id IN %s
"""


def attempts(cursor: Cursor, queue: str, keys: Collection[str]) -> dict[str, int]:
    """Return the noted attempts by message; messages without a note are left out."""
    cursor.execute(_ATTEMPTS, (queue, tuple(keys)))
    return dict(cursor.fetchall())


def note(cursor: Cursor, queue: str, keys: Collection[str], now: datetime) -> None:
    """Count another attempt for each message."""
    cursor.executemany(_NOTE, [(queue, key, 1, now) for key in sorted(keys)])


def forget(cursor: Cursor, queue: str, keys: Collection[str]) -> None:
    """Delete the notes of messages that were settled."""
    cursor.execute(_FORGET, (queue, tuple(keys)))
