"""Pipelined statements: refusals, reads, and lost connections between them."""

from collections.abc import Callable
from typing import Any

import pymysql
import pytest

from scheduler.database.connection import Database
from scheduler.database.cursor import BulkCursor
from scheduler.database.errors import DatabaseUnavailableError
from tests.support.store import Store

ADD = "INSERT INTO devices (id, name) VALUES (%s, %s)"
TOO_LARGE = "SELECT EXP(710)"


def names(cursor: BulkCursor) -> list[str]:
    cursor.execute("SELECT name FROM devices ORDER BY id")
    return [name for (name,) in cursor.fetchall()]


def test_all_pipelined_writes_are_committed(database: Database, store: Store) -> None:
    with database.transaction() as cursor, cursor.pipelined():
        for n in range(20):
            cursor.execute(ADD, (f"d{n}", "new"))

    assert store.rows("SELECT COUNT(*) FROM devices") == [(20,)]


def test_a_read_sees_the_writes_that_were_sent_before_it(database: Database) -> None:
    with database.transaction() as cursor, cursor.pipelined():
        cursor.execute(ADD, ("d1", "first"))
        assert names(cursor) == ["first"]
        cursor.execute("UPDATE devices SET name = 'second'")
        assert names(cursor) == ["second"]


def test_each_query_gets_its_own_result_in_any_order_of_reading(
    database: Database,
) -> None:
    with database.transaction() as cursor:
        cursor.execute(ADD, ("d1", "first"))
        first, second = (
            cursor.send_query("SELECT %s", (1,)),
            cursor.send_query("SELECT name FROM devices", ()),
        )
        none = cursor.send_query("SELECT id FROM devices WHERE id = %s", ("d2",))
        with cursor.pipelined():
            cursor.execute(ADD, ("d2", "later"))

        assert (none.rows(), second.rows(), first.rows()) == ((), (("first",),), ((1,),))
        assert names(cursor) == ["first", "later"]


def test_a_long_query_is_not_sent_while_large_results_are_pending(
    database: Database,
) -> None:
    """Otherwise server and client would both wait for the other to read."""
    with database.transaction() as cursor:
        long = cursor.send_query("SELECT REPEAT('x', 10000000) FROM seq_1_to_6", ())
        longer = cursor.send_query("SELECT LENGTH(%s)", ("x" * 8_000_000,))

        assert longer.rows() == ((8_000_000,),)
        assert [len(text) for (text,) in long.rows()] == [10_000_000] * 6


def test_nothing_is_written_while_large_results_are_pending(database: Database) -> None:
    with database.transaction() as cursor:
        cursor.send_query("SELECT REPEAT('x', 10000000) FROM seq_1_to_6", ())
        with cursor.pipelined():
            cursor.execute("UPDATE devices SET name = %s WHERE FALSE", ("x" * 8_000_000,))


def test_a_refused_query_fails_the_transaction_and_leaves_a_working_connection(
    database: Database, store: Store
) -> None:
    def query_and_more() -> None:
        with database.transaction() as cursor:
            cursor.execute(ADD, ("d1", "new"))
            refused = cursor.send_query(TOO_LARGE, ())
            cursor.send_query("SELECT 1", ())
            refused.rows()

    with pytest.raises(pymysql.MySQLError, match=r"(?i)out of range"):
        query_and_more()

    assert store.rows("SELECT * FROM devices") == []
    with database.transaction() as cursor:
        assert cursor.send_query("SELECT %s", ("works",)).rows() == (("works",),)


def test_a_transaction_is_not_committed_if_an_unread_query_was_refused(
    database: Database, store: Store
) -> None:
    def send(query: str) -> None:
        with database.transaction() as cursor:
            cursor.execute(ADD, ("d1", "new"))
            cursor.send_query(query, ())

    with pytest.raises(pymysql.MySQLError, match=r"(?i)out of range"):
        send(TOO_LARGE)
    assert store.rows("SELECT * FROM devices") == []

    send("SELECT 1")
    assert store.rows("SELECT id FROM devices") == [("d1",)]


def run(database: Database, *actions: Callable[[BulkCursor], object]) -> None:
    """Run actions in one pipelined transaction."""
    with database.transaction() as cursor, cursor.pipelined():
        for action in actions:
            action(cursor)


def add(id_: str) -> Callable[[BulkCursor], object]:
    return lambda cursor: cursor.execute(ADD, (id_, "new"))


def be_refused(cursor: BulkCursor) -> None:
    cursor.execute("INSERT INTO users (id, max_devices) VALUES ('u1', -1)")


def be_interrupted(_cursor: BulkCursor) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_refusal_rolls_everything_back_and_leaves_a_working_connection(
    position: int, database: Database, store: Store
) -> None:
    actions = [add("d1"), add("d2")]
    actions.insert(position, be_refused)

    with pytest.raises(pymysql.MySQLError, match=r"(?i)out of range"):
        run(database, *actions)

    assert store.rows("SELECT * FROM devices") == []
    run(database, add("d3"))
    assert store.rows("SELECT id FROM devices") == [("d3",)]


def test_the_first_of_several_refusals_is_raised(database: Database) -> None:
    with pytest.raises(pymysql.IntegrityError):
        run(database, add("d1"), add("d1"), be_refused)


def test_an_exception_between_statements_is_raised_and_leaves_a_working_connection(
    database: Database, store: Store
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(database, add("d1"), be_refused, be_interrupted)

    assert store.rows("SELECT * FROM devices") == []
    run(database, add("d3"))
    assert store.rows("SELECT id FROM devices") == [("d3",)]


@pytest.mark.parametrize(
    ("after", "interruption"),
    [
        ("_execute_command", KeyboardInterrupt),
        ("_read_query_result", KeyboardInterrupt),
        ("_read_query_result", MemoryError),
    ],
)
def test_a_result_left_by_an_interruption_is_not_taken_for_a_later_one(
    after: str, interruption: type[BaseException], database: Database, store: Store
) -> None:
    def be_interrupted_next(cursor: BulkCursor) -> None:
        connection: Any = cursor.connection
        original = getattr(connection, after)

        def interrupted(*arguments: object) -> None:
            delattr(connection, after)
            original(*arguments)
            raise interruption

        setattr(connection, after, interrupted)

    with pytest.raises(interruption):
        run(database, add("d1"), be_interrupted_next, add("d2"), add("d3"))

    assert store.rows("SELECT * FROM devices") == []
    run(database, add("d4"))
    with database.transaction() as cursor:
        assert names(cursor) == ["new"]


def test_a_connection_killed_between_statements_means_an_unavailable_database(
    database: Database, store: Store
) -> None:
    def be_killed(cursor: BulkCursor) -> None:
        cursor.execute("SELECT CONNECTION_ID()")
        store.run(f"KILL {cursor.fetchall()[0][0]}")

    with pytest.raises(DatabaseUnavailableError):
        run(database, add("d1"), be_killed, add("d2"), add("d3"))

    assert store.rows("SELECT * FROM devices") == []
    run(database, add("d3"))
    assert store.rows("SELECT id FROM devices") == [("d3",)]


def interrupt_reading(connection: Any, interruption: type[BaseException]) -> None:  # noqa: ANN401 - PyMySQL's, with private attributes
    """Raise instead of reading the next result."""

    def interrupted() -> None:
        del connection._read_packet
        raise interruption

    connection._read_packet = interrupted


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("waiting_for", ["ping", "commit"])
def test_a_result_that_was_not_read_is_not_taken_for_a_later_one(
    waiting_for: str, interruption: type[BaseException], database: Database
) -> None:
    def select(number: int, *, interrupted: bool = False) -> object:
        with database.transaction() as cursor:
            cursor.execute("SELECT %s", (number,))
            if interrupted:
                interrupt_reading(cursor.connection, interruption)
            return cursor.fetchall()

    with database.transaction() as cursor:
        idle = cursor.connection
    if waiting_for == "ping":
        interrupt_reading(idle, interruption)
    with pytest.raises(interruption):
        select(0, interrupted=True)

    assert [select(number) for number in range(3)] == [((0,),), ((1,),), ((2,),)]
