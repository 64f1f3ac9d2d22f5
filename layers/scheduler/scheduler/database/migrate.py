"""Brings the schema up to date: versioned, forward-only SQL files in ``migrations/``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yoyo import read_migrations
from yoyo.backends.core.mysql import MySQLBackend
from yoyo.connections import parse_uri

from scheduler.database.connection import connect
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from pymysql.connections import Connection

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = "scheduler-migrations"
_LOCK_TIMEOUT: Final = 120


class _Backend(MySQLBackend):  # type: ignore[misc]  # yoyo publishes no types
    """yoyo on our own connection, which verifies TLS and knows the account."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._ours = connection
        super().__init__(parse_uri("mysql+pymysql://host/name"), "_yoyo_migration")

    def connect(self, dburi: object) -> Connection[Any]:  # noqa: ARG002 - yoyo's signature
        return self._ours


def migrate(settings: DatabaseSettings) -> list[str]:
    """Apply what is missing, one process at a time, and return the ids of what was applied.

    Raises:
        TimeoutError: another migration has held the lock for two minutes.
        pymysql.MySQLError: a statement failed; the migrations before it stay applied.
    """
    connection = connect(settings)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(%s, %s)", (_LOCK, _LOCK_TIMEOUT))
            if cursor.fetchone() != (1,):
                raise TimeoutError("another migration is running; try again when it has ended")
        backend = _Backend(connection)
        pending = backend.to_apply(read_migrations(str(_MIGRATIONS)))
        backend.apply_migrations(pending)
        return [migration.id for migration in pending]
    finally:
        connection.close()
