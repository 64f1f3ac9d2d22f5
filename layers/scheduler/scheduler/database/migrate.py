"""Brings the schema up to date: versioned, forward-only SQL files in ``migrations/``."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pymysql.converters import escape_datetime
from yoyo import read_migrations
from yoyo.backends.core.mysql import MySQLBackend
from yoyo.connections import parse_uri

from scheduler.database.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.connections import Connection

    from scheduler.settings import DatabaseSettings

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = "scheduler-migrations"
_LOCK_TIMEOUT: Final = 120
"""Seconds to wait for another migration."""
_TABLE_LOCK_TIMEOUT: Final = 60
"""Seconds to wait for the transactions on a table; consumers that queue behind are parked."""
_STATEMENT_TIMEOUT: Final = 800
"""Seconds a statement may take: an index on a large table, within Lambda's 15 minutes."""


def migrate(settings: DatabaseSettings) -> list[str]:
    """Apply what is missing, one process at a time, and return the ids of what was applied.

    Raises:
        TimeoutError: another migration has held the lock for two minutes.
        pymysql.MySQLError: a statement failed; the migrations before it stay applied.
    """
    with _alone(settings), _backend(settings) as backend:
        # A run that was killed leaves yoyo's own lock behind; ours dies with its connection.
        backend.break_lock()
        pending = backend.to_apply(read_migrations(str(_MIGRATIONS)))
        backend.apply_migrations(pending)
        return [migration.id for migration in pending]


@contextmanager
def _alone(settings: DatabaseSettings) -> Iterator[None]:
    with (
        closing(connect(settings, _STATEMENT_TIMEOUT)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT GET_LOCK(%s, %s)", (_LOCK, _LOCK_TIMEOUT))
        if cursor.fetchone() != (1,):
            raise TimeoutError("another migration is running; try again when it has ended")
        yield


@contextmanager
def _backend(settings: DatabaseSettings) -> Iterator[MySQLBackend]:
    """Give yoyo on our own connections, which verify TLS and know the account."""

    class Backend(MySQLBackend):  # type: ignore[misc]  # yoyo publishes no types
        def connect(self, dburi: object) -> Connection[Any]:  # noqa: ARG002 - yoyo's signature
            connection = connect(settings, _STATEMENT_TIMEOUT)
            # yoyo notes its own times in naive UTC.
            connection.encoders[datetime] = escape_datetime
            with connection.cursor() as cursor:
                # yoyo leaves a transaction idle while a migration runs on another connection.
                cursor.execute(
                    "SET SESSION lock_wait_timeout = %s, idle_transaction_timeout = 0",
                    (_TABLE_LOCK_TIMEOUT,),
                )
            return connection

    name = settings.database_url.get_secret_value().rpartition("/")[2]
    backend = Backend(parse_uri(f"mysql+pymysql://elsewhere/{name}"), "_yoyo_migration")
    backend.init_database()
    # It has read in a transaction of its own: left open, that would lock the tables it read.
    with closing(backend.connection):
        yield backend
