"""Fixtures: execution environments of probe functions, and local platforms."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import Function
from tests.support.folders import server_folder
from tests.support.local_platform import LocalPlatform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.servers.mariadb import MariaDB
    from local.servers.rabbitmq import RabbitMQ

PROBE = Path(__file__).parent / "probe"


class MakeEnvironment(Protocol):
    """Makes an environment for a handler of probe/probe.py."""

    def __call__(
        self, handler: str, timeout: float = 30, **variables: str
    ) -> LambdaEnvironment: ...


@pytest.fixture
def make_environment(tmp_path: Path) -> Iterator[MakeEnvironment]:
    made: list[LambdaEnvironment] = []

    def make(handler: str, timeout: float = 30, **variables: str) -> LambdaEnvironment:
        function = Function(
            "probe", f"probe.{handler}", variables, tmp_path, timeout, import_roots=(PROBE,)
        )
        made.append(LambdaEnvironment(function, "stream"))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with server_folder() as made:
        yield made


@pytest.fixture(scope="module")
def private(folder: Path) -> Iterator[LocalPlatform]:
    """A platform with its own servers."""
    with closing(LocalPlatform(folder / "private")) as platform:
        yield platform


@pytest.fixture
def own_database(folder: Path, rabbitmq: RabbitMQ) -> Iterator[LocalPlatform]:
    """A platform with its own database and the broker of the test run."""
    broker_url = rabbitmq.create_vhost("own-database")
    with closing(LocalPlatform(folder / "own", RABBITMQ_URL=broker_url)) as platform:
        yield platform


@pytest.fixture
def given(mariadb: MariaDB, rabbitmq: RabbitMQ, tmp_path: Path) -> Iterator[LocalPlatform]:
    """A platform that uses the servers of the test run, and therefore starts faster."""
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS cloudphone_given")
    platform = LocalPlatform(
        tmp_path / "given",
        DATABASE_URL=mariadb.url_of("cloudphone_given"),
        RABBITMQ_URL=rabbitmq.create_vhost("given"),
    )
    with closing(platform):
        yield platform
