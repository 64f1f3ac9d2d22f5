"""Migrations, which may run twice, at once and after a killed one; constraints of the schema."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pymysql
import pytest

from local.servers.mariadb import MariaDB
from scheduler.database import migrate as module
from scheduler.database.migrate import migrate
from scheduler.settings import DatabaseSettings
from tests.support.store import Store
from tests.support.together import together
from tests.support.world import device, held, user, world

NAME = "cloudphone_migrations"
FILES = sorted(path.stem for path in (Path(module.__file__).parent / "migrations").glob("*.sql"))


@pytest.fixture
def empty(mariadb: MariaDB) -> Iterator[DatabaseSettings]:
    """A separate database without tables."""
    run(mariadb, f"DROP DATABASE IF EXISTS {NAME}", f"CREATE DATABASE {NAME}")
    yield DatabaseSettings.model_validate({"DATABASE_URL": mariadb.url_of(NAME)})
    run(mariadb, f"DROP DATABASE {NAME}")


def run(mariadb: MariaDB, *statements: str) -> None:
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_all_migrations_are_applied_once_and_in_order(empty: DatabaseSettings) -> None:
    assert migrate(empty) == FILES
    assert migrate(empty) == []


def test_migrations_started_at_the_same_time_are_applied_once(empty: DatabaseSettings) -> None:
    applied = together(*[lambda: migrate(empty)] * 3)

    assert sorted(applied, key=len) == [[], [], FILES]


def test_a_killed_migration_does_not_block_the_next_one(
    empty: DatabaseSettings, mariadb: MariaDB
) -> None:
    migrate(empty)
    run(mariadb, f"USE {NAME}", "INSERT INTO yoyo_lock (locked, pid) VALUES (1, 4711)")

    assert migrate(empty) == []


# -- constraints -------------------------------------------


def refused(store: Store, statement: str) -> int:
    with pytest.raises(pymysql.MySQLError) as caught:
        store.run(statement)
    code: int = caught.value.args[0]
    return code


ALLOCATE = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    VALUES ('{}', '{}', 'd1', '{}', NOW(6), NOW(6))
"""


def test_a_device_cannot_be_held_twice(store: Store) -> None:
    store.seed(world(held("d1")))

    assert refused(store, ALLOCATE.format("second", "u2", "ALLOCATED")) == 1062


def test_a_device_may_have_any_number_of_ended_allocations(store: Store) -> None:
    store.seed(world(held("d1")))

    store.run(*(ALLOCATE.format(f"old-{n}", "u2", "RELEASED") for n in range(3)))
    store.run("UPDATE allocations SET status = 'EXPIRED' WHERE status = 'ALLOCATED'")
    store.run(ALLOCATE.format("new", "u3", "ALLOCATED"))


def test_a_message_cannot_be_processed_twice(store: Store) -> None:
    insert = "INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)"
    insert += " VALUES ('q', 'm', REPEAT('x', 32), NOW(6))"
    store.run(insert)

    assert refused(store, insert) == 1062


def test_a_notification_cannot_be_stored_twice_nor_have_two_deliveries_by_a_channel(
    store: Store,
) -> None:
    notice = """
        INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
        VALUES ('{}', 'u', 't', '', '', '{{}}', 'same', NOW(6))
    """
    delivery = """
        INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)
        VALUES ('n', 'email', NOW(6))
    """
    store.run(notice.format("n"), delivery)

    assert refused(store, notice.format("other")) == 1062
    assert refused(store, delivery) == 1062


@pytest.mark.parametrize("other", ["A", "a ", "á", "ａ", " a"])
def test_ids_are_compared_exactly(store: Store, other: str) -> None:
    store.seed(world(user("a"), user(other), device("a"), device(other)))

    assert store.rows("SELECT COUNT(*) FROM users WHERE id = 'a'") == [(1,)]


def test_ids_of_64_characters_outside_the_bmp_fit(store: Store) -> None:
    id_ = "😀" * 64
    store.seed(world(user(id_), device(id_)))

    assert store.rows("SELECT id FROM users") == store.rows("SELECT id FROM devices") == [(id_,)]
