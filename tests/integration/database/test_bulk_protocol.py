"""Rows written in a pipeline arrive as they were passed, by the bulk protocol and as text."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.database import bulk_protocol
from scheduler.database.connection import connect
from scheduler.database.cursor import BulkCursor
from scheduler.database.times import EPOCH
from scheduler.domain.model import Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.store import Store

INSERT = "INSERT INTO kept (id, text, number, big, bytes, time) VALUES (%s, %s, %s, %s, %s, %s)"
UPSERT = f"{INSERT} ON DUPLICATE KEY UPDATE text = VALUES(text)"
MOMENT = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=300) | st.text("'\"\\%\0\n?;", max_size=9)
TIMES = st.integers(-(30_000_000_000), 200_000_000_000).map(
    lambda n: EPOCH + timedelta(seconds=n, microseconds=n % 7)
)
ROWS = st.tuples(
    st.none() | TEXTS,
    st.none() | st.integers(-(1 << 63), (1 << 63) - 1),
    st.none() | st.integers(0, (1 << 64) - 1),
    st.none() | st.binary(max_size=300),
    st.none() | TIMES,
)


@pytest.fixture(params=["bulk", "text"])
def cursor(
    request: pytest.FixtureRequest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BulkCursor]:
    """A cursor, to a server that has the bulk protocol and to one that has not."""
    if request.param == "text":
        monkeypatch.setattr(bulk_protocol, "is_offered", lambda _: False)
    with closing(connect(store.settings)) as connection, connection.cursor() as made:
        assert connection.speaks_bulk == (request.param == "bulk")
        made.execute(
            "CREATE TEMPORARY TABLE kept (id INT PRIMARY KEY, text MEDIUMTEXT, number BIGINT,"
            " big BIGINT UNSIGNED, bytes MEDIUMBLOB, time DATETIME(6)) CHARSET utf8mb4"
        )
        yield made


def write(cursor: BulkCursor, *rows: tuple[Any, ...], query: str = INSERT) -> None:
    with cursor.pipelined():
        cursor.executemany(query, [(n, *row) for n, row in enumerate(rows)])


def rows(cursor: BulkCursor) -> list[tuple[Any, ...]]:
    cursor.execute("SELECT text, number, big, bytes, time FROM kept ORDER BY id")
    return list(cursor.fetchall())


def row(text: object = None, number: object = None, time: object = None) -> tuple[Any, ...]:
    return (text, number, None, None, time)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(written=st.lists(ROWS, min_size=1, max_size=9))
def test_any_rows_are_returned_as_they_were_written(
    cursor: BulkCursor, written: list[tuple[Any, ...]]
) -> None:
    cursor.execute("DELETE FROM kept")

    write(cursor, *written)

    assert rows(cursor) == written


def test_long_texts_enums_and_other_zones_are_written(cursor: BulkCursor) -> None:
    shanghai = MOMENT.astimezone(ZoneInfo("Asia/Shanghai"))
    texts = ["x" * length for length in (250, 251, 65_535, 65_536, 70_000)]

    write(cursor, *map(row, texts), row(Health.FAILED, True, shanghai), row("plain", 7))  # noqa: FBT003 - a value

    assert [found[0] for found in rows(cursor)] == [*texts, "failed", "plain"]
    assert rows(cursor)[5] == row("failed", 1, MOMENT)


def test_values_without_an_encoding_are_written_as_text(cursor: BulkCursor) -> None:
    write(cursor, row("a", Decimal(7)), row(5, "8"))

    assert rows(cursor) == [row("a", 7), row("5", 8)]


def test_statement_with_a_question_mark_is_written_as_text(cursor: BulkCursor) -> None:
    write(cursor, row("a"), query=UPSERT.replace("VALUES(text)", "'?'"))
    write(cursor, row("a"), query=UPSERT.replace("VALUES(text)", "'?'"))

    assert rows(cursor) == [row("?")]


def test_existing_rows_are_updated(cursor: BulkCursor) -> None:
    write(cursor, row("old", 1), row("kept", 2))

    write(cursor, row("new", 9), query=UPSERT)

    assert rows(cursor) == [row("new", 1), row("kept", 2)]


def test_many_rows_are_sent_in_parts(cursor: BulkCursor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BulkCursor, "max_stmt_length", 1000)

    write(cursor, *(row("x" * 100, n) for n in range(50)))

    assert [found[1] for found in rows(cursor)] == list(range(50))


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (row(number=1 << 63), 1264),
        (row("x", "no number"), 1366),
    ],
)
def test_strict_mode_refuses_a_value(cursor: BulkCursor, bad: tuple[Any, ...], code: int) -> None:
    with pytest.raises(pymysql.MySQLError) as refused:
        write(cursor, bad)

    assert refused.value.args[0] == code
    assert rows(cursor) == []


def test_first_refused_statement_is_raised_and_the_connection_stays_in_step(
    cursor: BulkCursor,
) -> None:
    def write_some() -> None:
        with cursor.pipelined():
            cursor.executemany(INSERT, [(1, *row("a")), (1, *row("b"))])
            cursor.executemany("INSERT INTO missing (id) VALUES (%s)", [(1,)])
            cursor.executemany(INSERT, [(2, *row("c"))])

    with pytest.raises(pymysql.IntegrityError, match="Duplicate"):
        write_some()
    cursor.connection.rollback()

    write(cursor, row("later"), query=UPSERT)
    assert rows(cursor)[0] == row("later")


def test_statement_that_cannot_be_prepared_is_raised(cursor: BulkCursor) -> None:
    def write_some() -> None:
        with cursor.pipelined():
            cursor.executemany(INSERT, [(1, *row("a"))])
            cursor.executemany("INSERT INTO missing (id) VALUES (%s)", [(1,)])

    with pytest.raises(pymysql.ProgrammingError):
        write_some()
    cursor.connection.rollback()

    assert rows(cursor) == []


def test_naive_time_is_refused_before_anything_is_sent(cursor: BulkCursor) -> None:
    with pytest.raises(TypeError, match="naive"):
        write(cursor, row(time=datetime(2026, 3, 1)))  # noqa: DTZ001 - naive on purpose

    assert rows(cursor) == []


def test_killed_connection_is_an_error_and_not_a_result(cursor: BulkCursor, store: Store) -> None:
    ((thread,),) = (cursor.execute("SELECT CONNECTION_ID()"), cursor.fetchall())[1]
    store.run(f"KILL {thread}")

    with pytest.raises((pymysql.OperationalError, pymysql.InterfaceError)):
        write(cursor, row("a"))


def test_each_statement_is_prepared_once(store: Store) -> None:
    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE kept LIKE mutexes")
        for n in range(3):
            with cursor.pipelined():
                cursor.executemany("INSERT INTO kept (name) VALUES (%s)", [(f"a{n}",), (f"b{n}",)])
        cursor.execute("SHOW SESSION STATUS LIKE 'Com_stmt_prepare'")
        prepared = cursor.fetchall()

    assert prepared == (("Com_stmt_prepare", "1"),)


def test_statements_are_prepared_again_if_the_server_lost_them(store: Store) -> None:
    query = "INSERT INTO mutexes (name) VALUES (%s)"
    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        connection.prepared[query] = 4711
        with pytest.raises(pymysql.MySQLError) as lost, cursor.pipelined():
            cursor.executemany(query, [("a",)])
        connection.rollback()
        with cursor.pipelined():
            cursor.executemany(query, [("a",)])
        connection.rollback()

    assert lost.value.args[0] == 1243


def test_nothing_is_escaped_if_the_server_takes_backslashes_literally(store: Store) -> None:
    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")

        with pytest.raises(pymysql.InterfaceError, match="NO_BACKSLASH_ESCAPES"):
            cursor.execute("SELECT %s", ("' OR 1 -- ",))


def test_mysql_does_not_offer_the_protocol() -> None:
    mysql = b"\x0a8.0.36\0" + bytes(13) + b"\xff\xff" + bytes(20)
    mariadb = b"\x0a5.5.5-11.8-MariaDB\0" + bytes(13) + b"\xfe\xff" + bytes(12) + b"\x1c\0\0\0"

    assert not bulk_protocol.is_offered(mysql)
    assert bulk_protocol.is_offered(mariadb)
