"""The servers of a benchmark: temporary, and durable as in production."""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx
import pika
import psutil

from bench.delayed_relay import delayed
from local.aws import create_resources
from local.environment import function_environment
from local.ports import free_port
from local.servers.mariadb import DURABLE_OPTIONS, MariaDB
from local.servers.moto import Moto
from local.servers.rabbitmq import RabbitMQ, RabbitPorts
from local.template import function_variable
from scheduler.database.connection import Database, connect
from scheduler.database.migrate import migrate
from scheduler.database.running_devices import count_running
from scheduler.messaging.declaration import declare
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pymysql.cursors import Cursor

    from local.servers.server import Server

DEFAULT_POOL: Final = "2560M"
"""The buffer pool of RDS for the 4 GiB of db.t4g.medium, the default of template.yaml."""

AS_ON_RDS: Final = (
    *DURABLE_OPTIONS,
    # RDS keeps a binary log for its backups and flushes it at each commit.
    *("--log-bin=binlog", "--sync-binlog=1", "--server-id=1"),
    *(f"--innodb-buffer-pool-size={DEFAULT_POOL}", "--innodb-log-file-size=512M"),
)
_TABLES: Final = (
    *("users", "devices", "allocations", "event_versions", "processed_messages"),
    *("delivery_attempts", "notifications", "notification_deliveries", "outgoing_events"),
)

_BRAKE: Final = ("MASS_FAILURE_SHARE", "MASS_FAILURE_DEVICES")
_LARGE_FLEET: Final = """
    INSERT INTO mass_failure_brake (id, running, counted_at) VALUES (1, 100000000, UTC_TIMESTAMP(6))
    ON DUPLICATE KEY UPDATE running = VALUES(running), counted_at = VALUES(counted_at)
"""
"""A benchmark is a mass failure; in a fleet of this size it does not reach the default limit."""


_ROWS_PER_COUNT: Final = 100_000
_POLL_SECONDS: Final = 0.1


class Spent(NamedTuple):
    """Seconds of wall-clock time, and of CPU by the function and by the database."""

    seconds: float
    function_cpu: float
    database_cpu: float


@dataclass(frozen=True, slots=True)
class Testbed:
    """Running servers: a migrated database, a declared topology, DynamoDB with 5 ms latency."""

    folder: Path
    mariadb: MariaDB
    rabbitmq: RabbitMQ
    aws_url: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the functions that differ from the deployed ones."""

    @property
    def logs(self) -> Path:
        """Return the folder of the function logs."""
        return self.folder / "log"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables of the functions."""
        return {
            **function_environment(self.mariadb.url, self.rabbitmq.url, self.aws_url),
            **{name: function_variable(name) for name in _BRAKE},
            **self.variables,
        }

    @property
    def database(self) -> DatabaseSettings:
        """Return the settings of the database."""
        return DatabaseSettings.model_validate({"DATABASE_URL": self.mariadb.url})

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """Open a connection like that of the functions, with autocommit."""
        with closing(connect(self.database, 600)) as connection, connection.cursor() as cursor:
            cursor.execute("SET autocommit = 1")
            yield cursor

    def empty(self) -> None:
        """Delete all rows and items; benchmarks drain the queues that they fill."""
        httpx.post(f"{self.aws_url}/moto-api/reset").raise_for_status()
        create_resources(self.aws_url)
        with self.cursor() as cursor:
            for table in _TABLES:
                # A SELECT is much cheaper than truncating an empty table.
                if cursor.execute(f"SELECT 1 FROM {table} LIMIT 1"):
                    cursor.execute(f"TRUNCATE TABLE {table}")
            cursor.execute("DELETE FROM mass_failure_seconds")
            cursor.execute(_LARGE_FLEET)

    def write_back(self) -> None:
        """Flush the filled tables to disk by a restart, not while something is measured.

        The server then reads the pages that it used last into its buffer pool again.
        """
        self.mariadb.stop()
        self.mariadb.start()
        with self.cursor() as cursor:
            while not _is_loaded(cursor):
                time.sleep(_POLL_SECONDS)

    @contextmanager
    def measured(self, process: psutil.Process | None = None) -> Iterator[list[Spent]]:
        """Measure the block; afterwards the list has one entry.

        Args:
            process: the process whose CPU counts as the function's; by default this one.
        """
        processes = (process or psutil.Process(), psutil.Process(self.mariadb.pids()[0]))
        found: list[Spent] = []
        before = [_cpu(one) for one in processes]
        started = time.perf_counter()
        yield found
        seconds = time.perf_counter() - started
        found.append(Spent(seconds, *(_cpu(p) - b for p, b in zip(processes, before, strict=True))))


def _is_loaded(cursor: Cursor) -> bool:
    cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_load_status'")
    ((_, status),) = cursor.fetchall()
    return not str(status).startswith("Load")  # "Loading …", then "Loaded 1000/20000 pages"


def count_devices(testbed: Testbed) -> None:
    """Count the running devices for the brake, as housekeeping does."""
    database = Database(testbed.database)
    count = partial(count_running, rows=_ROWS_PER_COUNT, now=datetime.now(UTC))
    while not database.run(count):
        pass
    database.close()


@contextmanager
def running_testbed(buffer_pool: str = DEFAULT_POOL) -> Iterator[Testbed]:
    """Run the servers during the block and delete their data afterwards.

    Args:
        buffer_pool: size of the database's buffer pool, such as ``12G``.
    """
    folder = Path(tempfile.mkdtemp(prefix="cloudphone-bench-"))
    folder.chmod(0o711)  # the servers run under accounts of their own
    logs = folder / "log"
    ports = RabbitPorts(free_port(), free_port(), free_port(), free_port())
    options = (*AS_ON_RDS, f"--innodb-buffer-pool-size={buffer_pool}")  # the last one counts
    mariadb = MariaDB(folder / "mariadb", logs, free_port(), options)
    rabbitmq = RabbitMQ(folder / "rabbitmq", logs, ports)
    moto = Moto(folder / "moto", logs, free_port())
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        servers: tuple[Server, ...] = (rabbitmq, mariadb, moto)
        for server in servers:
            stack.callback(server.kill)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.start(), servers))
        create_resources(moto.url)
        testbed = Testbed(folder, mariadb, rabbitmq, stack.enter_context(delayed(moto.port)))
        _prepare(testbed)
        yield testbed


def _prepare(testbed: Testbed) -> None:
    migrate(testbed.database)
    parameters = pika.URLParameters(testbed.rabbitmq.url)
    with closing(pika.BlockingConnection(parameters)) as connection:
        declare(connection.channel())


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
