"""The connection of an environment: its session, bulk statements, and lost connections."""

import json
import ssl
import time
from contextlib import closing

import boto3
import pymysql
import pytest

from local.environment import aws_environment
from local.servers.mariadb import MariaDB
from scheduler.database.connection import Database, connect
from scheduler.database.cursor import BulkCursor
from scheduler.database.errors import DatabaseUnavailableError, is_unavailable
from scheduler.database.url import DatabaseUrl
from scheduler.deadline import NEVER, Deadline
from scheduler.settings import DatabaseSettings
from tests.support.statements import counted
from tests.support.store import Store


def settings(url: str, **more: str) -> DatabaseSettings:
    return DatabaseSettings.model_validate({"DATABASE_URL": url, **more})


def one(database: Database, query: str) -> object:
    with database.transaction() as cursor:
        cursor.execute(query)
        (value,) = cursor.fetchone() or (None,)
        return value


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("tx_isolation", "READ-COMMITTED"),
        ("time_zone", "+00:00"),
        ("character_set_client", "utf8mb4"),
        ("innodb_lock_wait_timeout", 3),
        ("lock_wait_timeout", 3),
        ("idle_transaction_timeout", 60),
        ("wait_timeout", 1000),
        ("autocommit", 0),
    ],
)
def test_the_session_is_configured(database: Database, variable: str, value: object) -> None:
    assert one(database, f"SELECT @@{variable}") == value


def test_without_a_ca_no_authority_is_loaded(store: Store) -> None:
    with closing(connect(store.settings)) as connection:
        context = vars(connection)["ctx"]
        assert isinstance(context, ssl.SSLContext)
        assert context.cert_store_stats()["x509_ca"] == 0


@pytest.mark.parametrize("name", ["x" * 129, None])
def test_values_that_do_not_fit_are_refused_instead_of_truncated(
    database: Database, name: str | None
) -> None:
    with pytest.raises(pymysql.MySQLError), database.transaction() as cursor:
        cursor.execute("INSERT INTO devices (id, name) VALUES ('d', %s)", (name,))


def test_a_block_that_raises_is_rolled_back(database: Database) -> None:
    def insert_and_fail() -> None:
        with database.transaction() as cursor:
            cursor.execute("INSERT INTO devices (id, name) VALUES ('d', 'd')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        insert_and_fail()
    assert one(database, "SELECT COUNT(*) FROM devices") == 0


@pytest.mark.parametrize("size", [1, 1000, 20_000])
def test_many_rows_are_inserted_with_one_statement(database: Database, size: int) -> None:
    rows = [(f"d{n}", "设" * 100) for n in range(size)]

    with counted(database) as statements, database.transaction() as cursor:
        cursor.executemany("INSERT INTO devices (id, name) VALUES (%s, %s)", rows)

    assert statements.writes == 1
    assert one(database, "SELECT COUNT(*) FROM devices") == size


def test_many_rows_are_upserted_with_one_statement(database: Database) -> None:
    statement = (
        "INSERT INTO devices (id, name) VALUES (%s, %s) ON DUPLICATE KEY UPDATE name = VALUES(name)"
    )
    for name in ("old", "new"):
        with counted(database) as statements, database.transaction() as cursor:
            cursor.executemany(statement, [(f"d{n}", name) for n in range(1000)])
        assert statements.writes == 1

    assert one(database, "SELECT GROUP_CONCAT(DISTINCT name) FROM devices") == "new"


def test_only_statements_that_exceed_a_packet_are_split(database: Database) -> None:
    size = BulkCursor.max_stmt_length // 400
    rows = [(f"d{n}", "x" * 128) for n in range(size * 4)]

    with counted(database) as statements, database.transaction() as cursor:
        cursor.executemany("INSERT INTO devices (id, name) VALUES (%s, %s)", rows)

    assert 1 < statements.writes <= 3


# -- lost connections ------------------------------------------------------------------------


def test_an_idle_transaction_loses_its_locks(database: Database, store: Store) -> None:
    store.run("INSERT INTO devices (id, name) VALUES ('d', 'd')")

    def stay_idle() -> None:
        with database.transaction() as cursor:
            cursor.execute("SET SESSION idle_transaction_timeout = 1")  # the session has 60
            cursor.execute("SELECT id FROM devices WHERE id = 'd' FOR UPDATE")
            # Waits for the lock, three seconds at most.
            store.run("UPDATE devices SET name = 'free again' WHERE id = 'd'")

    with pytest.raises(DatabaseUnavailableError):
        stay_idle()
    assert one(database, "SELECT name FROM devices") == "free again"


def test_a_connection_killed_between_transactions_is_replaced(
    database: Database, store: Store
) -> None:
    killed = one(database, "SELECT CONNECTION_ID()")
    store.run(f"KILL {killed}")

    assert one(database, "SELECT CONNECTION_ID()") != killed


def test_a_connection_killed_within_a_transaction_means_an_unavailable_database(
    database: Database, store: Store
) -> None:
    killed = one(database, "SELECT CONNECTION_ID()")

    def lose_connection() -> None:
        with database.transaction() as cursor:
            store.run(f"KILL {killed}")
            cursor.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailableError):
        lose_connection()
    assert one(database, "SELECT 1") == 1


def test_a_restarted_server_is_used_again(database: Database, mariadb: MariaDB) -> None:
    assert one(database, "SELECT 1") == 1
    mariadb.kill()
    with pytest.raises(DatabaseUnavailableError), database.transaction():
        pytest.fail("there is no server")

    mariadb.start()

    assert one(database, "SELECT 1") == 1


@pytest.mark.parametrize(
    "url",
    [
        "mysql://x@127.0.0.1:1/cloudphone",
        "mysql://x@nowhere.invalid/cloudphone",
    ],
)
def test_an_unreachable_server_means_an_unavailable_database(url: str) -> None:
    with pytest.raises(DatabaseUnavailableError), Database(settings(url)).transaction():
        pytest.fail("there is no server")


def test_a_server_that_refuses_writes_after_a_failover_is_unavailable() -> None:
    assert is_unavailable(pymysql.OperationalError(1290, "running with the --read-only option"))


@pytest.mark.parametrize(
    "error",
    [
        pymysql.DataError(1406, "Data too long"),
        pymysql.IntegrityError(1062, "Duplicate entry"),
        pymysql.OperationalError(1213, "Deadlock found"),
        pymysql.OperationalError(1205, "Lock wait timeout exceeded"),
    ],
)
def test_a_refused_statement_does_not_mean_an_unavailable_database(
    error: pymysql.MySQLError,
) -> None:
    assert not is_unavailable(error)


def test_the_error_of_a_failed_connection_does_not_contain_the_password(store: Store) -> None:
    parts = DatabaseUrl.parse(store.settings.database_url.get_secret_value())
    url = f"mysql://{parts.user}:wrong-secret@{parts.host}:{parts.port}/{parts.name}"

    with pytest.raises(DatabaseUnavailableError) as caught, Database(settings(url)).transaction():
        pytest.fail("the password is wrong")

    assert "wrong-secret" not in str(caught.value)
    assert "wrong-secret" not in repr(settings(url))


# -- addresses and accounts --------------------------------------------------------------


def test_a_url_is_split_and_decoded() -> None:
    assert DatabaseUrl.parse("mysql://us%40er:p%2Fw%3A@db.example:3307/cloud%2Dphone") == (
        DatabaseUrl("db.example", 3307, "cloud-phone", "us@er", "p/w:")
    )
    assert DatabaseUrl.parse("mysql://db/x") == DatabaseUrl("db", 3306, "x", None, None)


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "mysql://", "mysql://db", "postgres://u:secret@db/x"),
        *("mysql://u:secret/@db/x", "mysql://u:secret#@db/x", "mysql://u:secret?@db/x"),
    ],
)
def test_an_invalid_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="must look like mysql://") as caught:
        DatabaseUrl.parse(url)

    assert "secret" not in str(caught.value)


def test_a_secret_without_its_arn_is_refused() -> None:
    incomplete = settings("mysql://db/x", DATABASE_AUTH="secret")

    with pytest.raises(ValueError, match="DATABASE_SECRET_ARN"):
        connect(incomplete)


def test_a_password_comes_from_the_secret(
    store: Store, aws_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    parts = DatabaseUrl.parse(store.settings.database_url.get_secret_value())
    secret = json.dumps({"username": parts.user, "password": parts.password})
    arn = boto3.client("secretsmanager").create_secret(Name="db", SecretString=secret)["ARN"]
    url = f"mysql://{parts.host}:{parts.port}/{parts.name}"

    opened = connect(settings(url, DATABASE_AUTH="secret", DATABASE_SECRET_ARN=arn))

    with closing(opened) as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT 1") == 1


def fifty_naps(cursor: BulkCursor) -> None:
    answers = [cursor.send_query("SELECT SLEEP(0.2)", ()) for _ in range(50)]
    for answer in answers:
        answer.rows()


def test_statement_is_not_awaited_beyond_the_deadline(database_url: str) -> None:
    with closing(Database(settings(database_url))) as database:
        one(database, "SELECT 1")
        database.deadline = Deadline(time.monotonic() + 0.3)

        with pytest.raises(DatabaseUnavailableError):
            one(database, "SELECT SLEEP(30)")

        with pytest.raises(DatabaseUnavailableError, match="no time left"):
            one(database, "SELECT 1")
        database.deadline = NEVER
        assert one(database, "SELECT 1") == 1


def test_answers_of_pipelined_statements_are_not_awaited_beyond_the_deadline(
    database_url: str,
) -> None:
    with closing(Database(settings(database_url))) as database:
        database.deadline = Deadline(time.monotonic() + 0.5)

        with pytest.raises(DatabaseUnavailableError):
            database.run(fifty_naps)
