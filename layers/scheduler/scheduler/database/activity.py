"""What happened in the last minutes, for operators: messages and changes of devices.

Each statement reads a bounded number of the newest rows by an index, so a page that queries them
every few seconds costs almost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from pymysql.cursors import Cursor

MAX_ROWS: Final = 2_000
"""Maximum number of rows that are read from a table."""

_PROCESSED: Final = """
    SELECT queue, COALESCE(outcome, 'applied'), processed_at
    FROM processed_messages FORCE INDEX (due_purge)
    WHERE processed_at > %s ORDER BY processed_at DESC LIMIT %s
"""
_UNAPPLIED: Final = """
    SELECT queue, outcome, last_at FROM unapplied_messages FORCE INDEX (due_purge)
    WHERE last_at > %s ORDER BY last_at DESC LIMIT %s
"""
# The newest rows by the primary key, which ascends with time.
_OUTGOING: Final = """
    SELECT routing_key, created_at FROM (
        SELECT routing_key, created_at FROM outgoing_events ORDER BY id DESC LIMIT %s
    ) newest WHERE created_at > %s ORDER BY created_at DESC
"""


class Happening(NamedTuple):
    """Something that happened: its subject (a queue, a routing key), its outcome, and when."""

    subject: str
    outcome: str
    at: datetime


def recent_messages(cursor: Cursor, since: datetime) -> list[list[Happening]]:
    """Return the messages that were applied or outdated since a time, and those without effect.

    The newest first, at most `MAX_ROWS` of each list. A message that came again counts once.
    """
    return [
        _happenings(cursor, statement, since, MAX_ROWS) for statement in (_PROCESSED, _UNAPPLIED)
    ]


def recent_changes(cursor: Cursor, since: datetime) -> list[Happening]:
    """Return devices that were released, allocated or extended since a time, the newest first."""
    cursor.execute(_OUTGOING, (MAX_ROWS, since))
    return [Happening(key, key.rpartition(".")[2], at) for key, at in cursor.fetchall()]


def _happenings(cursor: Cursor, statement: str, *parameters: Any) -> list[Happening]:  # noqa: ANN401 - SQL values
    cursor.execute(statement, parameters)
    return [Happening(*row) for row in cursor.fetchall()]
