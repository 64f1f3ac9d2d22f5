"""Removes what is remembered about messages and requests after a month, in small bites."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scheduler.database.retry import run_again_when_overtaken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from scheduler.database.connection import Database

KEPT: Final = timedelta(days=30)
"""A person may replay a dead letter weeks later; until then its neighbours must be known."""

_CHUNK: Final = 1000
"""Rows a statement: consumers wait for at most that many row locks."""

# Rows are found by the index of their age and deleted by key. A plain DELETE … ORDER BY … LIMIT
# scans the whole table, waiting for every consumer's fresh rows, once most of it is old.
_DELETE: Final = """
    DELETE kept FROM {table} kept JOIN (
        SELECT {key} FROM {table} FORCE INDEX (due_purge)
        WHERE {age} < %s ORDER BY {age} LIMIT %s
    ) old USING ({key})
"""
_STATEMENTS: Final = tuple(
    _DELETE.format(table=table, key=key, age=age)
    for table, key, age in (
        ("processed_messages", "queue, message_id", "processed_at"),
        ("delivery_attempts", "queue, message_id", "last_at"),
        ("idempotency_keys", "user_id, idempotency_key", "created_at"),
    )
)


def purge(database: Database, now: datetime) -> Iterator[int]:
    """Delete processed ids, delivery notes and request keys older than `KEPT`, chunk by chunk.

    Yields the number of rows each chunk removed, so that the caller may stop in between.

    Raises:
        DatabaseUnavailableError: the database is away; what was deleted stays deleted.
    """
    before = now - KEPT
    for statement in _STATEMENTS:
        removed = _CHUNK
        while removed == _CHUNK:
            removed = _delete(database, statement, before)
            yield removed


def _delete(database: Database, statement: str, before: datetime) -> int:
    def run() -> int:
        with database.transaction() as cursor:
            return cursor.execute(statement, (before, _CHUNK))

    return run_again_when_overtaken(run)
