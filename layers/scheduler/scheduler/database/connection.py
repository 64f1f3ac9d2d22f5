"""One connection per execution environment, opened on first use and reopened when it is lost."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions

from scheduler import credentials
from scheduler.credentials import CredentialsUnavailableError
from scheduler.database import times
from scheduler.database.cursor import BulkCursor
from scheduler.database.errors import (
    DatabaseUnavailableError,
    StaleSnapshotError,
    StatementRefusedError,
    is_conflict,
    is_conflict_without_wait,
    is_lock_wait,
    is_unavailable,
    retry_on_conflict,
    text_of,
    unavailable,
)
from scheduler.database.url import DatabaseUrl
from scheduler.database.wire import PING_TIMEOUT, WireConnection
from scheduler.deadline import NEVER
from scheduler.settings import DatabaseAuth, DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymysql.connections import Connection

T = TypeVar("T")

_CONNECT_TIMEOUT: Final = 5
"""Seconds for the handshake, which detects a server that hangs."""
_STATEMENT_TIMEOUT: Final = 15
"""Seconds; longer than any statement takes. Near the deadline of the invocation it is shorter: a
killed invocation counts against its messages."""

LOCK_WAIT_SECONDS: Final = 3
"""For rows, and for tables during a migration; error 1205 comes before the read times out."""

IDLE_SECONDS: Final = 1000
"""After so long without a statement the server closes a connection."""

_SESSION: Final = (
    "SET SESSION tx_isolation = 'READ-COMMITTED', time_zone = '+00:00',"
    " sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',"
    f" innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}, lock_wait_timeout = {LOCK_WAIT_SECONDS},"
    # A terminated environment does not close its connection. The server would keep its locks until
    # wait_timeout, by default for eight hours. No live transaction is idle for this long.
    f" idle_transaction_timeout = 60, wait_timeout = {IDLE_SECONDS},"
    # A long IN list stays a range scan in key order instead of becoming a hashed subquery.
    " in_predicate_conversion_threshold = 0"
)

_CONVERTERS: Final[dict[Any, Any]] = {
    **conversions,
    FIELD_TYPE.DATETIME: times.from_sql,
    datetime: times.quoted,
}


class Database:
    """Runs transactions on one lazily opened connection. Not thread-safe."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._connection: WireConnection | None = None
        self.deadline = NEVER
        """When the invocation's time ends; statements then fail as during an outage."""

    @property
    def is_ready(self) -> bool:
        """Return whether there is a connection, as far as known, and time to use it."""
        return self._connection is not None and not self.deadline.passed

    @contextmanager
    def transaction(self) -> Iterator[BulkCursor]:
        """Run the block in one transaction: commit at its end, roll back when it raises.

        Raises:
            DatabaseUnavailableError: there is no connection, or it was lost. The server rolls the
                transaction back unless it has received the commit.
            StatementRefusedError: the server answered with an error that is the environment's.
            pymysql.MySQLError: the server refused a statement.
        """
        connection = self._live_connection()
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.commit()
        except BaseException as error:
            if isinstance(error, pymysql.MySQLError) and is_unavailable(error):
                # After a failover, this server is read-only, and the host name may resolve to
                # another one.
                refused = unavailable(error)
                if isinstance(refused, StatementRefusedError):
                    # A server that only loses the connection keeps the locks for a moment.
                    self._roll_back(connection, error)
                self.close()
                raise refused from error
            self._roll_back(connection, error)
            raise

    def run(
        self,
        action: Callable[[BulkCursor], T],
        retries: Callable[[Exception], bool] = is_conflict,
    ) -> T:
        """Run an action in a transaction, retry it on conflict, and return its result.

        Args:
            action: what to do; may run several times.
            retries: which errors count as a conflict.

        Raises:
            DatabaseUnavailableError: the database is unavailable.
            pymysql.MySQLError, StaleSnapshotError: a statement was refused, or conflicts
                exhausted the retries.
        """

        def attempt() -> T:
            with self.transaction() as cursor:
                return action(cursor)

        return retry_on_conflict(attempt, retries)

    def run_unless_locked(self, action: Callable[[BulkCursor], T]) -> T:
        """Run an action as `run` does, but wait for a lock only once.

        Raises:
            DatabaseUnavailableError: the database is unavailable, or another transaction or DDL of
                a migration holds what the action needs.
            pymysql.MySQLError: a statement was refused.
        """
        try:
            return self.run(action, is_conflict_without_wait)
        except (StaleSnapshotError, pymysql.MySQLError) as error:
            if is_lock_wait(error):
                raise DatabaseUnavailableError(text_of(error)) from error
            raise

    def close(self) -> None:
        """Close the connection, if there is one, dead or alive."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            with suppress(pymysql.MySQLError):
                connection.close()

    def _live_connection(self) -> WireConnection:
        if self.deadline.passed:
            raise DatabaseUnavailableError("no time left in this invocation")
        if (connection := self._connection) is not None:
            connection.deadline = self.deadline
            connection.statement_timeout = PING_TIMEOUT
            try:
                connection.ping()
            except pymysql.MySQLError:
                self._connection = None
            else:
                connection.statement_timeout = _STATEMENT_TIMEOUT
                return connection
        try:
            self._connection = connect(self._settings)
            self._connection.deadline = self.deadline
        except (pymysql.MySQLError, CredentialsUnavailableError) as error:
            raise DatabaseUnavailableError(text_of(error)) from error
        return self._connection

    def _roll_back(self, connection: Connection[BulkCursor], error: BaseException) -> None:
        if not isinstance(error, Exception):
            # An interrupt may have separated a statement from its result, which would be taken for
            # the result of the next one.
            self.close()
            return
        try:
            connection.rollback()
        except pymysql.MySQLError:
            self._connection = None


def connect(
    settings: DatabaseSettings, statement_timeout: int = _STATEMENT_TIMEOUT
) -> WireConnection:
    """Open a connection: READ COMMITTED, UTC, strict mode, timeouts, verified TLS if configured.

    Args:
        settings: the address of the database, and the account.
        statement_timeout: seconds after which a statement fails and the connection is closed.

    Raises:
        pymysql.OperationalError: the server cannot be reached or refuses the account.
        CredentialsUnavailableError: the account cannot be read.
    """
    url = DatabaseUrl.parse(settings.database_url.get_secret_value())
    user, password = _account(settings, url)
    connection = WireConnection(
        host=url.host,
        port=url.port,
        user=user,
        password=password,
        database=url.name,
        charset="utf8mb4",
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=PING_TIMEOUT,
        write_timeout=statement_timeout,
        init_command=_SESSION,
        cursorclass=BulkCursor,
        conv=_CONVERTERS,
        **_tls(settings),
    )
    connection.statement_timeout = statement_timeout
    return connection


def _account(settings: DatabaseSettings, url: DatabaseUrl) -> credentials.Credentials:
    if settings.database_auth is DatabaseAuth.SECRET:
        if not settings.database_secret_arn:
            raise ValueError("DATABASE_AUTH=secret needs DATABASE_SECRET_ARN")
        return credentials.from_secret(settings.database_secret_arn)
    user = url.user or ""
    if settings.database_auth is DatabaseAuth.IAM:
        return credentials.Credentials(user, credentials.iam_token(url.host, url.port, user))
    return credentials.Credentials(user, url.password or "")


def _tls(settings: DatabaseSettings) -> dict[str, Any]:
    # Without these, PyMySQL encrypts but accepts any certificate.
    if not settings.database_ca_file:
        return {}
    return {
        "ssl_ca": settings.database_ca_file,
        "ssl_verify_cert": True,
        "ssl_verify_identity": True,
    }
