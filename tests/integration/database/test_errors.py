"""Database errors are classified by their number, and by what a real server answers."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import pymysql
import pytest

from scheduler.database.connection import Database, connect
from scheduler.database.errors import (
    DatabaseUnavailableError,
    Fault,
    StaleSnapshotError,
    StatementRefusedError,
    fault_of,
    is_conflict,
    is_conflict_without_wait,
    is_outage,
    unavailable,
)
from scheduler.settings import DatabaseSettings
from tests.integration.local.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.store import Store


@pytest.mark.parametrize(
    "number",
    [
        *(3, 1020 + 17, 1026, 1030, 1038, 1040, 1041, 1044, 1047, 1053, 1054, 1064, 1135, 1142),
        *(1146, 1158, 1159, 1290, 1317, 1364, 1637, 1792, 1836, 1927, 1969, 2003, 2006, 2013),
        *(1021, 1114, 9999),
    ],
)
def test_error_that_no_message_can_cause_is_attributed_to_the_environment(number: int) -> None:
    assert fault_of(pymysql.OperationalError(number, "the server says why")) is Fault.ENVIRONMENT


@pytest.mark.parametrize(
    ("number", "refused"),
    [(0, False), (1290, True), (1999, True), (2000, False), (2999, False), (3000, True)],
)
def test_only_an_error_of_the_server_is_a_refused_statement(number: int, *, refused: bool) -> None:
    error = unavailable(pymysql.OperationalError(number, "why"))

    assert isinstance(error, StatementRefusedError) is refused
    assert is_outage(error) is not refused


def test_error_of_our_own_code_is_no_outage() -> None:
    assert not is_outage(ValueError("a bug"))


@pytest.mark.parametrize("error", [pymysql.InterfaceError(0, ""), pymysql.MySQLError()])
def test_error_without_a_number_is_attributed_to_the_environment(error: pymysql.MySQLError) -> None:
    assert fault_of(error) is Fault.ENVIRONMENT


@pytest.mark.parametrize(
    ("error", "conflict", "without_wait"),
    [
        (pymysql.OperationalError(1205, "Lock wait timeout exceeded"), True, False),
        (pymysql.OperationalError(1213, "Deadlock found"), True, True),
        (pymysql.OperationalError(1020, "Record has changed since last read"), True, True),
        (pymysql.OperationalError(1461, "Can't create more than max_prepared_stmt"), True, True),
        (StaleSnapshotError(), True, True),
    ],
)
def test_lock_is_attributed_to_another_transaction(
    error: Exception, *, conflict: bool, without_wait: bool
) -> None:
    assert fault_of(error) is Fault.LOCK
    assert (is_conflict(error), is_conflict_without_wait(error)) == (conflict, without_wait)


def test_error_of_our_own_code_is_attributed_to_the_message() -> None:
    assert fault_of(ValueError("no such thing")) is Fault.MESSAGE


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("INSERT INTO users (id, max_devices) VALUES (REPEAT('x', 65), 1)", Fault.MESSAGE),
        ("INSERT INTO users (id, max_devices) VALUES ('u', -1)", Fault.MESSAGE),
        ("INSERT INTO users (id, max_devices) VALUES ('u', 'many')", Fault.MESSAGE),
        ("INSERT INTO users (id, max_devices) VALUES (NULL, 1)", Fault.MESSAGE),
        ("INSERT INTO users (id, max_devices) VALUES ('u1', 1), ('u1', 1)", Fault.MESSAGE),
        ("INSERT INTO devices (id, name, created_at) VALUES ('d', '', 'soon')", Fault.MESSAGE),
        ("SELECT 1 FROM waiting WHERE id = '\U0001f600'", Fault.MESSAGE),
        ("INSERT INTO users (id) VALUES ('u')", Fault.ENVIRONMENT),
        ("INSERT INTO users (id, max_devices, height) VALUES ('u', 1, 1)", Fault.ENVIRONMENT),
        ("SELECT * FROM nowhere", Fault.ENVIRONMENT),
        ("SELECT * FROM elsewhere.users", Fault.ENVIRONMENT),
    ],
)
def test_errors_of_a_real_server_are_classified(statement: str, fault: Fault, store: Store) -> None:
    connection = connect(store.settings)
    with connection, connection.cursor() as cursor, pytest.raises(pymysql.MySQLError) as refused:
        cursor.execute(statement)

    assert fault_of(refused.value) is fault, refused.value


def test_refused_transaction_is_rolled_back_before_its_connection_is_closed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise its rows stay locked until the server notices that the connection ended."""
    with closing(Database(store.settings)) as database:
        with database.transaction() as cursor:
            connection = cursor.connection
        rollback = Mock(wraps=connection.rollback)
        monkeypatch.setattr(connection, "rollback", rollback)

        with pytest.raises(StatementRefusedError), database.transaction() as cursor:
            cursor.execute("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1206")

    rollback.assert_called_once_with()
    assert not connection.open


NAME = "database.test"
READ_ONLY = """
    CREATE TRIGGER replica BEFORE INSERT ON users FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET
    MYSQL_ERRNO = 1290, MESSAGE_TEXT = 'The server is running with --read-only'
"""


@pytest.fixture
def replica(store: Store) -> Iterator[Proxy]:
    """A server that has become read-only, and refuses writes as a replica does."""
    store.run(READ_ONLY)
    with closing(before_database(store)) as made:
        yield made
    store.run("DROP TRIGGER IF EXISTS replica")


def before_database(store: Store) -> Proxy:
    return Proxy(urlsplit(store.settings.database_url.get_secret_value()).port or 0)


def test_read_only_server_after_a_failover_is_replaced_by_a_new_connection(
    store: Store, replica: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = [replica]
    resolve = socket.getaddrinfo

    def resolve_name(host: str, port: int, *more: Any) -> list[Any]:  # noqa: ANN401 - as getaddrinfo
        return resolve(*(("127.0.0.1", where[-1].port) if host == NAME else (host, port)), *more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_name)
    url = urlsplit(store.settings.database_url.get_secret_value())
    account = url.netloc.rpartition("@")[0]
    named = url._replace(netloc=f"{account}@{NAME}:3306").geturl()
    settings = DatabaseSettings.model_validate({"DATABASE_URL": named})

    with closing(before_database(store)) as writer, closing(Database(settings)) as database:
        with database.transaction() as cursor:
            assert _port_of(cursor) == replica.port
        with (
            pytest.raises(DatabaseUnavailableError, match="1290"),
            database.transaction() as cursor,
        ):
            cursor.execute("INSERT INTO users (id, max_devices) VALUES ('u1', 1)")
        store.run("DROP TRIGGER replica")
        where.append(writer)

        with database.transaction() as cursor:
            assert _port_of(cursor) == writer.port
            cursor.execute("INSERT INTO users (id, max_devices) VALUES ('u1', 1)")


def _port_of(cursor: Any) -> int:  # noqa: ANN401 - types-pymysql does not declare `_sock`
    port: int = cursor.connection._sock.getpeername()[1]
    return port
