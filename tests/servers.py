"""Fixtures: real servers, private to the test run, started when the first test needs them.

======================  =======================================================================
``mariadb``             the server (``local.servers.mariadb.MariaDB``): ``kill()``, ``start()``
``rabbitmq``            the server (``local.servers.rabbitmq.RabbitMQ``), likewise
``moto``                the server (``local.servers.moto.Moto``), likewise; forgets when killed
``database_url``        a migrated database in which all tables are empty
``broker_url``          a vhost with the whole topology in which all queues are empty
``aws_url``             the AWS endpoint with the tables of ``template.yaml``, all empty
======================  =======================================================================

A server that cannot be started fails the tests that need it and says how to fix it.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final, cast

import httpx
import pika
import pytest

from local.aws import create_resources
from local.ports import free_port
from local.servers.mariadb import DATABASE_NAME, FAST_OPTIONS, MariaDB
from local.servers.moto import Moto
from local.servers.rabbitmq import RabbitMQ, RabbitPorts
from scheduler.database.migrate import migrate
from scheduler.messaging import topology
from scheduler.messaging.declaration import declare
from scheduler.settings import DatabaseSettings
from tests.support.folders import server_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pymysql.cursors import Cursor

    from local.servers.server import Server

_TABLES: Final = """\
SELECT table_name FROM information_schema.tables
WHERE table_schema = %s AND table_type = 'BASE TABLE' AND table_name NOT LIKE '%%yoyo%%'
"""


class ServerPool:
    """The servers of one test run; each is started once, in the background."""

    def __init__(self, logs: Path) -> None:
        self._open = ExitStack()
        self._folder = self._open.enter_context(server_folder())
        self._logs = logs
        self._threads = ThreadPoolExecutor()
        self._started: dict[str, Future[Server]] = {}

    def begin(self, name: str) -> None:
        """Start a server in the background unless that was done before."""
        if name not in self._started:
            self._started[name] = self._threads.submit(self._start, self._make(name))

    def get(self, name: str) -> Server:
        """Return the server once it is ready."""
        self.begin(name)
        return self._started[name].result()

    def close(self) -> None:
        """Kill the servers: nobody needs their data."""
        self._threads.shutdown()
        for future in self._started.values():
            if future.exception() is None:
                future.result().kill()
        self._open.close()

    def _make(self, name: str) -> Server:
        home = self._folder / name
        match name:
            case "mariadb":
                return MariaDB(home, self._logs, free_port(), FAST_OPTIONS)
            case "rabbitmq":
                ports = RabbitPorts(free_port(), free_port(), free_port(), free_port())
                return RabbitMQ(home, self._logs, ports)
            case _:
                return Moto(home, self._logs, free_port())

    @staticmethod
    def _start(server: Server) -> Server:
        server.start()
        return server


_SERVERS: Final = ("rabbitmq", "mariadb", "moto")
_POOL: Final = pytest.StashKey[ServerPool]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the workers of ``-n auto``: one more than cores, because tests wait for servers."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start at once, side by side, all servers that the selected tests will ask for."""
    if session.config.option.collectonly:
        return
    needed = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    for name in needed.intersection(_SERVERS):
        _pool(session.config).begin(name)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started, however the run ended."""
    if pool := config.stash.get(_POOL, None):
        pool.close()


def _pool(config: pytest.Config) -> ServerPool:
    if _POOL not in config.stash:
        factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]  # pytest makes it public only as a fixture
        config.stash[_POOL] = ServerPool(factory.mktemp("servers"))
    return config.stash[_POOL]


@pytest.fixture(scope="session")
def mariadb(pytestconfig: pytest.Config) -> MariaDB:
    return cast("MariaDB", _pool(pytestconfig).get("mariadb"))


@pytest.fixture(scope="session")
def rabbitmq(pytestconfig: pytest.Config) -> RabbitMQ:
    return cast("RabbitMQ", _pool(pytestconfig).get("rabbitmq"))


@pytest.fixture(scope="session")
def moto(pytestconfig: pytest.Config) -> Moto:
    return cast("Moto", _pool(pytestconfig).get("moto"))


@pytest.fixture(scope="session")
def _migrated(mariadb: MariaDB) -> None:
    migrate(DatabaseSettings.model_validate({"DATABASE_URL": mariadb.url}))


@pytest.fixture(scope="session")
def _declared(rabbitmq: RabbitMQ) -> None:
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        declare(connection.channel())


@pytest.fixture
def database_url(mariadb: MariaDB, _migrated: None) -> str:
    _revive(mariadb)
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION lock_wait_timeout = 10, foreign_key_checks = 0")
        cursor.execute(_TABLES, (DATABASE_NAME,))
        for (table,) in cursor.fetchall():
            _empty(cursor, f"`{DATABASE_NAME}`.`{table}`")
    return mariadb.url


@pytest.fixture
def broker_url(rabbitmq: RabbitMQ, _declared: None) -> str:
    _revive(rabbitmq)
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        channel = connection.channel()
        for queue in topology.queues():
            channel._impl.queue_purge(queue.name)  # without awaiting each answer
        channel.queue_declare(topology.DEAD_LETTER_QUEUE, passive=True)  # after all of them
    return rabbitmq.url


@pytest.fixture(scope="session")
def _http() -> Iterator[httpx.Client]:
    with httpx.Client() as client:  # making one takes 20 ms
        yield client


@pytest.fixture
def aws_url(moto: Moto, _http: httpx.Client) -> str:
    _revive(moto)
    _http.post(f"{moto.url}/moto-api/reset").raise_for_status()
    create_resources(moto.url)
    return moto.url


def _revive(server: Server) -> None:
    """Bring back a server that an earlier test left dead."""
    if server.failure():
        server.start()


def _empty(cursor: Cursor, table: str) -> None:
    # Looking first is much cheaper than truncating nine empty tables before every test.
    if cursor.execute(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 - the name is the catalogue's
        cursor.execute(f"TRUNCATE TABLE {table}")
