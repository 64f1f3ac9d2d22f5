"""Counts the statements of a connection, as the server counts them."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.database.connection import Database

_STATUS: Final = """
    SHOW SESSION STATUS WHERE Variable_name IN
    ('Questions', 'Com_select', 'Com_commit', 'Com_rollback')
"""


class Statements:
    """What was counted; the figures are there when `counted` has ended."""

    selects = writes = commits = rollbacks = 0

    @property
    def total(self) -> int:
        """Return how many statements read or wrote something."""
        return self.selects + self.writes


@contextmanager
def counted(database: Database) -> Iterator[Statements]:
    """Count what the block sends over the one connection of a database.

    Reading the server's own figures costs a SHOW and a COMMIT, which are left out.
    """
    found = Statements()
    before = _status(database)
    yield found
    after = _status(database)
    spent = {name: after[name] - before[name] for name in before}
    found.selects = spent["Com_select"]
    found.commits = spent["Com_commit"] - 1
    found.rollbacks = spent["Com_rollback"]
    found.writes = spent["Questions"] - 2 - found.selects - found.commits - found.rollbacks


@contextmanager
def waits(database: Database) -> Iterator[list[int]]:
    """Count how often the block waits for the database: what was sent without, counts once.

    The figure is in the list when the block has ended.
    """
    with database.transaction() as cursor:
        connection: Any = cursor.connection
    write, read = connection._write_bytes, connection._read_packet
    passed: list[str] = []

    def noted(what: str, call: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - pymysql's
        passed.append(what)
        return call(*arguments)

    connection._write_bytes = partial(noted, "w", write)
    connection._read_packet = partial(noted, "r", read)
    found: list[int] = []
    try:
        yield found
    finally:
        connection._write_bytes, connection._read_packet = write, read
    found.append("".join(passed).count("wr"))


def _status(database: Database) -> dict[str, int]:
    with database.transaction() as cursor:
        cursor.execute(_STATUS)
        return {name: int(value) for name, value in cursor.fetchall()}
