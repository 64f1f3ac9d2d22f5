"""Measures how long a migration takes on a full table of devices, and how long it blocks writes.

    python -m bench.upgrade [--migration 0041] [--devices 1000000]

Applies the migrations before it, adds devices and runs it, while another connection updates one
device again and again, as an event would. Its longest wait is how long writes were blocked.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bench.machine import watched
from bench.testbed import AS_ON_RDS
from local.ports import free_port
from local.servers.mariadb import MariaDB
from scheduler.database.migrate import MIGRATIONS, migrate
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pymysql

_ROWS_PER_STATEMENT: Final = 100_000
_DEVICES: Final = """
    INSERT INTO devices (id, name, cpu_cores, memory_mb, storage_mb)
    SELECT CONCAT('d', seq), CONCAT('Phone ', seq), 4, 8192, 65536 FROM seq_{first}_to_{last}
"""
_WRITE: Final = "UPDATE devices SET name = CONCAT('Phone ', %s) WHERE id = 'd1'"


def main(
    migration: Annotated[str, typer.Option(help="Number of the migration.")] = "0041",
    devices: Annotated[int, typer.Option(help="Rows in the table of devices.")] = 1_000_000,
) -> None:
    """Measure and print."""
    files = sorted(MIGRATIONS.glob("*.sql"))
    number = next(at for at, file in enumerate(files) if file.name.startswith(migration))
    with watched(), _server() as (mariadb, folder):
        settings = DatabaseSettings.model_validate({"DATABASE_URL": mariadb.url})
        for file in files[:number]:
            shutil.copy(file, folder)
        migrate(settings, folder)
        _add(mariadb, devices)
        mariadb.stop()  # writes the rows back, so that this is not measured
        mariadb.start()
        shutil.copy(files[number], folder)
        with _writes(mariadb) as waits:
            started = time.perf_counter()
            migrate(settings, folder)
            seconds = time.perf_counter() - started
        print(f"{files[number].stem}, {devices:,} devices: {seconds:.1f} s,", end=" ")
        print(f"{len(waits)} writes, the longest waited {max(waits):.1f} s")


@contextmanager
def _server() -> Iterator[tuple[MariaDB, Path]]:
    """Run a database during the block; also yield a folder for migrations."""
    home = Path(tempfile.mkdtemp(prefix="cloudphone-bench-"))
    home.chmod(0o711)  # the server runs under an account of its own
    mariadb = MariaDB(home / "mariadb", home / "log", free_port(), AS_ON_RDS)
    folder = home / "migrations"
    folder.mkdir()
    try:
        mariadb.start()
        yield mariadb, folder
    finally:
        mariadb.kill()
        shutil.rmtree(home)


def _add(mariadb: MariaDB, devices: int) -> None:
    with closing(_connect(mariadb)) as connection, connection.cursor() as cursor:
        for first in range(1, devices + 1, _ROWS_PER_STATEMENT):
            last = min(first + _ROWS_PER_STATEMENT - 1, devices)
            cursor.execute(_DEVICES.format(first=first, last=last))


@contextmanager
def _writes(mariadb: MariaDB) -> Iterator[list[float]]:
    """Update a device during the block; afterwards the list has the seconds of each update."""
    waits: list[float] = []
    ended = Event()

    def write() -> None:
        with closing(_connect(mariadb)) as connection, connection.cursor() as cursor:
            while not ended.is_set():
                started = time.perf_counter()
                cursor.execute(_WRITE, (len(waits),))
                waits.append(time.perf_counter() - started)
                time.sleep(0.01)

    writer = Thread(target=write)
    writer.start()
    try:
        yield waits
    finally:
        ended.set()
        writer.join()


def _connect(mariadb: MariaDB) -> pymysql.Connection:
    connection = mariadb.connect()
    connection.select_db(mariadb.url.rpartition("/")[2])
    return connection


if __name__ == "__main__":
    typer.run(main)
