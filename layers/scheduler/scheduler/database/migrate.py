"""Migrates the schema with the versioned, forward-only SQL files in ``migrations/``.

MariaDB commits each DDL statement, so a run that is stopped leaves a migration half done. The next
run begins that migration again: every statement must be repeatable (``IF NOT EXISTS`` and so on).
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pymysql
from pymysql.converters import escape_datetime
from yoyo import read_migrations
from yoyo.backends.core.mysql import MySQLBackend
from yoyo.connections import parse_uri
from yoyo.migrations import read_sql_migration

from scheduler.database.connection import connect
from scheduler.database.errors import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.connections import Connection

    from scheduler.database.wire import WireConnection
    from scheduler.settings import DatabaseSettings

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = "scheduler-migrations"
_LOCK_TIMEOUT: Final = 120
"""Seconds to wait for another migration to end."""
_TABLE_LOCK_TIMEOUT: Final = 60
"""Seconds to wait for transactions on a table; messages of blocked consumers are parked."""
_STATEMENT_TIMEOUT: Final = 800
"""Seconds; enough to index a large table, and within the 15 minutes of a Lambda function."""


class MigrationError(Exception):
    """A migration was stopped; what it has done stays, and the next run continues."""


def migrate(settings: DatabaseSettings, folder: Path = MIGRATIONS) -> list[str]:
    """Apply the pending migrations of a folder, one process at a time, and return their ids.

    Raises:
        TimeoutError: another migration holds the lock for more than two minutes.
        MigrationError: a statement failed, or the connection was lost.
        pymysql.MySQLError: the database cannot be reached.
    """
    with _migration_lock(settings), _backend(settings) as backend:
        # A killed run leaves yoyo's own lock behind; the lock below ends with its connection.
        backend.break_lock()
        pending = backend.to_apply(read_migrations(str(folder)))
        for migration in pending:
            try:
                _execute(settings, migration.path)
            except pymysql.MySQLError as error:
                raise MigrationError(
                    f"migration {migration.id} was stopped: {text_of(error)}; deploy again to"
                    " continue it"
                ) from error
            backend.log_migration(migration, "apply")
            with backend.transaction():
                backend.mark_one(migration, log=False)
        return [migration.id for migration in pending]


def _execute(settings: DatabaseSettings, path: str) -> None:
    """Execute the statements of a file.

    yoyo would undo steps after an error, on savepoints that DDL has ended; the error of that would
    hide the cause.
    """
    _, _, statements = read_sql_migration(path)
    with closing(_connect(settings)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def _connect(settings: DatabaseSettings) -> WireConnection:
    connection = connect(settings, _STATEMENT_TIMEOUT)
    with connection.cursor() as cursor:
        # yoyo keeps a transaction idle while a migration runs on another connection.
        cursor.execute(
            "SET SESSION lock_wait_timeout = %s, idle_transaction_timeout = 0",
            (_TABLE_LOCK_TIMEOUT,),
        )
    return connection


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
            connection = _connect(settings)
            # yoyo stores naive times in UTC.
            connection.encoders[datetime] = escape_datetime
            return connection

        def quote_identifier(self, identifier: str) -> str:
            # Backticks are valid in every SQL mode. yoyo asks the server for the mode each time:
            # 400 statements in an empty database.
            return f"`{identifier}`"

    name = settings.database_url.get_secret_value().rpartition("/")[2]
    backend = Backend(parse_uri(f"mysql+pymysql://elsewhere/{name}"), "_yoyo_migration")
    backend.init_database()
    # It has opened a transaction, which would keep metadata locks on the tables it has read.
    with closing(backend.connection):
        yield backend
