"""Migrates the schema with the versioned, forward-only SQL files in ``migrations/``."""

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
"""Seconds to wait for another migration to end."""
_TABLE_LOCK_TIMEOUT: Final = 60
"""Seconds to wait for transactions on a table; messages of blocked consumers are parked."""
_STATEMENT_TIMEOUT: Final = 800
"""Seconds; enough to index a large table, and within the 15 minutes of a Lambda function."""


def migrate(settings: DatabaseSettings) -> list[str]:
    """Apply pending migrations, one process at a time, and return their ids.

    Raises:
        TimeoutError: another migration holds the lock for more than two minutes.
        pymysql.MySQLError: a statement failed; the migrations before it stay applied.
    """
    with _migration_lock(settings), _backend(settings) as backend:
        # A killed run leaves yoyo's own lock behind; the lock below ends with its connection.
        backend.break_lock()
        pending = backend.to_apply(read_migrations(str(_MIGRATIONS)))
        backend.apply_migrations(pending)
        return [migration.id for migration in pending]


@contextmanager
def _migration_lock(settings: DatabaseSettings) -> Iterator[None]:
    with (
        closing(connect(settings, _STATEMENT_TIMEOUT)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT GET_LOCK(%s, %s)", (_LOCK, _LOCK_TIMEOUT))
        if cursor.fetchone() != (1,):
            raise TimeoutError("another migration is running; try again later")
        yield


@contextmanager
def _backend(settings: DatabaseSettings) -> Iterator[MySQLBackend]:
    """Return yoyo's backend on connections of `connect`, which verify TLS and load the account."""

    class Backend(MySQLBackend):  # type: ignore[misc]  # yoyo publishes no types
        def connect(self, dburi: object) -> Connection[Any]:  # noqa: ARG002 - yoyo's signature
            connection = connect(settings, _STATEMENT_TIMEOUT)
            # yoyo stores naive times in UTC.
            connection.encoders[datetime] = escape_datetime
            with connection.cursor() as cursor:
                # yoyo keeps a transaction idle while a migration runs on another connection.
                cursor.execute(
                    "SET SESSION lock_wait_timeout = %s, idle_transaction_timeout = 0",
                    (_TABLE_LOCK_TIMEOUT,),
                )
            return connection

    name = settings.database_url.get_secret_value().rpartition("/")[2]
    backend = Backend(parse_uri(f"mysql+pymysql://elsewhere/{name}"), "_yoyo_migration")
    backend.init_database()
    # It has opened a transaction, which would keep metadata locks on the tables it has read.
    with closing(backend.connection):
        yield backend
