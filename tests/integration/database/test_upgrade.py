"""Upgrades of a filled database from 0.1.0, also when they are stopped after any statement."""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest
from yoyo.migrations import read_sql_migration

from scheduler.database.migrate import MIGRATIONS, MigrationError, migrate
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from local.servers.mariadb import MariaDB

NAME: Final = "cloudphone_upgrade"
NEWEST_OF_0_1_0: Final = "0030"
"""Number of the newest migration in the release 0.1.0, commit 725e071."""
FILES: Final = sorted(MIGRATIONS.glob("*.sql"))
RELEASED: Final = [file for file in FILES if file.name[:4] <= NEWEST_OF_0_1_0]
NEW: Final = FILES[len(RELEASED) :]
STOP: Final = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'stopped here';"

ROWS: Final = (
    """
    INSERT INTO users (id, status, billing_hold, max_devices)
    SELECT CONCAT('u', seq), IF(seq % 7 = 0, 'deleted', 'active'), 0, 10 FROM seq_1_to_300
    """,
    """
    INSERT INTO devices (id, name, status, health)
    SELECT CONCAT('d', seq), '', IF(seq % 2, 'available', 'allocated'),
           IF(seq % 5, 'running', 'failed')
    FROM seq_1_to_300
    """,
    """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    SELECT CONCAT('a', seq), CONCAT('u', seq), CONCAT('d', seq), 'ALLOCATED', NOW(6), NOW(6)
    FROM seq_1_to_300
    """,
    """
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
    SELECT 'q', CONCAT('m', seq), REPEAT('x', 32), NOW(6) FROM seq_1_to_300
    """,
    """
    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    SELECT CONCAT('n', seq), CONCAT('u', seq), '', '', '', '{}', seq, NOW(6) FROM seq_1_to_300
    """,
    """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at, status)
    SELECT CONCAT('n', seq), 'email', NOW(6), IF(seq % 3, 'pending', 'sent') FROM seq_1_to_300
    """,
    "INSERT INTO outgoing_events (routing_key, body, created_at) VALUES ('k', '{}', NOW(6))",
    "INSERT INTO mass_failure_brake (id, engaged_at, engaged_by) VALUES (1, NOW(6), 'operator')",
)
COMPUTED: Final = {
    # Of the deleted users.
    "SELECT COUNT(*), SUM(CAST(SUBSTR(user_id, 2) AS INT) % 7) FROM erasures": [(42, 0)],
    "SELECT COUNT(*) FROM erasures WHERE finished_at IS NOT NULL": [(0,)],
    # Counted beside what was there.
    "SELECT engaged_by, running, counted_at IS NOT NULL FROM mass_failure_brake": [
        ("operator", 240, 1)
    ],
    # The user of the notification, for what is still to be sent.
    """
    SELECT status, COUNT(*), SUM(user_id = CONCAT('u', SUBSTR(notification_id, 2))),
           SUM(user_id = '')
    FROM notification_deliveries GROUP BY status
    """: [("pending", 200, 200, 0), ("sent", 100, 0, 100)],
    # Every second is available, and four of five are running.
    "SELECT free, COUNT(*), SUM(status = 'available' AND health = 'running') FROM devices"
    " GROUP BY free": [(0, 180, 0), (1, 120, 120)],
}
"""What the migrations compute from `ROWS`, by query."""


@pytest.fixture
def filled(mariadb: MariaDB, tmp_path: Path) -> Iterator[DatabaseSettings]:
    """A database with the schema of 0.1.0 and rows."""
    ask(mariadb, f"DROP DATABASE IF EXISTS {NAME}", f"CREATE DATABASE {NAME}")
    settings = DatabaseSettings.model_validate({"DATABASE_URL": mariadb.url_of(NAME)})
    migrate(settings, copied(RELEASED, tmp_path / "released"))
    ask(mariadb, f"USE {NAME}", *ROWS)
    yield settings
    ask(mariadb, f"DROP DATABASE {NAME}")


def ask(mariadb: MariaDB, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements and return the rows of the last."""
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def copied(files: Sequence[Path], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for file in files:
        shutil.copy(file, folder)
    return folder


def stops(folder: Path) -> Iterator[Path]:
    """Yield, for each statement of the new migrations, a folder that fails after it."""
    for count, file in enumerate(NEW):
        statements = read_sql_migration(str(file))[2]
        copied([*RELEASED, *NEW[:count]], folder)
        for end in range(1, len(statements) + 1):
            (folder / file.name).write_text("\n".join([*statements[:end], STOP]), "utf-8")
            yield folder


def schema(mariadb: MariaDB) -> dict[str, str]:
    """Return how each table is created, without the counters of ids."""
    tables = ask(mariadb, f"SHOW TABLES FROM {NAME}")
    created = (ask(mariadb, f"SHOW CREATE TABLE {NAME}.{table}")[0] for (table,) in tables)
    return {table: re.sub(r" AUTO_INCREMENT=\d+", "", text) for table, text in created}


def computed(mariadb: MariaDB) -> dict[str, list[tuple[Any, ...]]]:
    return {query: ask(mariadb, f"USE {NAME}", query) for query in COMPUTED}


def test_new_migrations_compute_their_values(filled: DatabaseSettings, mariadb: MariaDB) -> None:
    assert migrate(filled) == [file.stem for file in NEW]

    assert computed(mariadb) == COMPUTED


def test_upgrade_stopped_after_any_statement_is_continued_by_the_next_run(
    filled: DatabaseSettings, mariadb: MariaDB, tmp_path: Path
) -> None:
    stopped = 0
    for folder in stops(tmp_path / "stopped"):
        with pytest.raises(MigrationError, match="stopped here"):
            migrate(filled, folder)
        stopped += 1
    migrate(filled)
    interrupted = schema(mariadb)

    assert stopped > len(NEW)
    assert computed(mariadb) == COMPUTED
    ask(mariadb, f"DROP DATABASE {NAME}", f"CREATE DATABASE {NAME}")
    migrate(filled)
    assert interrupted == schema(mariadb)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("CREATE TABLE users (id INT)", "'users' already exists"),
        ("INSERT INTO erasures SELECT * FROM missing", "erasures' doesn't exist"),
        ("KILL CONNECTION_ID()", "Connection was killed"),
    ],
)
def test_error_names_the_migration_and_the_cause(
    filled: DatabaseSettings, tmp_path: Path, statement: str, error: str
) -> None:
    folder = copied(RELEASED, tmp_path / "failing")
    (folder / "0099.bad.sql").write_text(f"CREATE TABLE made (id INT);\n{statement};", "utf-8")

    text = rf"0099\.bad was stopped: [^(]*{error} \(error \d+\);"
    with pytest.raises(MigrationError, match=text):
        migrate(filled, folder)
