"""Another transaction that holds locks."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from scheduler.database.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.settings import DatabaseSettings


@contextmanager
def locked(settings: DatabaseSettings, statement: str, *arguments: object) -> Iterator[None]:
    """Hold during the block what a statement locks: rows, or a table."""
    with closing(connect(settings)) as other, other.cursor() as cursor:
        found = cursor.execute(statement, arguments)
        assert found or statement.startswith("LOCK TABLES"), "nothing is locked"
        yield
        other.rollback()  # the locks of a connection that closes last a moment longer
        cursor.execute("UNLOCK TABLES")
