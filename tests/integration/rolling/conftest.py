"""The former and the current release on one database, whose schema is that of either."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from local.environment import function_environment
from local.paths import ROOT
from scheduler.database.migrate import migrate
from scheduler.settings import DatabaseSettings
from tests.integration.rolling.release import MIGRATIONS, Release, unpack
from tests.integration.rolling.subjects import ROWS
from tests.support.provider import Provider
from tests.support.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.servers.mariadb import MariaDB
    from local.servers.moto import Moto
    from local.servers.rabbitmq import RabbitMQ

NAME: Final = "cloudphone_rolling"


class Schema:
    """A database that is migrated like a deployment does."""

    def __init__(self, mariadb: MariaDB, former: Path) -> None:
        self._mariadb = mariadb
        self._former = former
        self.url = mariadb.url_of(NAME)
        self._settings = DatabaseSettings.model_validate({"DATABASE_URL": self.url})
        self._run(f"CREATE DATABASE IF NOT EXISTS {NAME}")

    def begin(self) -> None:
        """Go back to the schema of the former release, with the rows of the tests."""
        self._run(f"USE {NAME}", *(f"DROP TABLE {table}" for table in self.tables()))
        migrate(self._settings, self._former)
        self._run(f"USE {NAME}", *ROWS)

    def finish(self) -> None:
        """Apply the migrations of the current release."""
        migrate(self._settings)

    def tables(self) -> list[str]:
        """Return the names of the tables."""
        return [table for (table,) in self._run(f"SHOW TABLES FROM {NAME}")]

    def _run(self, *statements: str) -> list[tuple[str, ...]]:
        with closing(self._mariadb.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


@pytest.fixture(scope="session")
def former_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("former"))


@pytest.fixture(scope="session")
def _provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.fixture(scope="session")
def _schema(mariadb: MariaDB, former_root: Path) -> Schema:
    return Schema(mariadb, former_root / MIGRATIONS)


@pytest.fixture
def schema(mariadb: MariaDB, _schema: Schema) -> Schema:
    """The schema of the former release, as a deployment finds it."""
    if mariadb.failure():
        mariadb.start()
    _schema.begin()
    return _schema


@pytest.fixture(scope="session")
def variables(
    _schema: Schema, rabbitmq: RabbitMQ, moto: Moto, _provider: Provider
) -> dict[str, str]:
    """The environment variables of the functions of both releases."""
    return {
        **function_environment(_schema.url, rabbitmq.url, moto.url),
        "WEBSOCKET_ENDPOINT": _provider.url,
        "AWS_ENDPOINT_URL_LAMBDA": _provider.url,
    }


@pytest.fixture(scope="session")
def _environments(
    variables: dict[str, str], former_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Release]]:
    logs = tmp_path_factory.mktemp("logs")
    roots = {"former": former_root, "current": ROOT}
    with (
        closing(Release(roots["former"], variables, logs)) as former,
        closing(Release(roots["current"], variables, logs)) as current,
    ):
        yield {"former": former, "current": current}


@pytest.fixture
def releases(
    _environments: dict[str, Release], schema: Schema, broker_url: str, aws_url: str
) -> dict[str, Release]:
    """Both releases, on empty queues and empty tables of DynamoDB."""
    assert schema
    assert broker_url
    assert aws_url
    return _environments


@pytest.fixture
def former(releases: dict[str, Release]) -> Release:
    return releases["former"]


@pytest.fixture
def current(releases: dict[str, Release]) -> Release:
    return releases["current"]


@pytest.fixture
def store(schema: Schema) -> Iterator[Store]:
    made = Store(schema.url)
    with closing(made.database):
        yield made
