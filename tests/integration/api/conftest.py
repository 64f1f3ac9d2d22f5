"""Fixtures: the API on real servers, called directly or over HTTP, and access to its database."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from allocation_api.api import AllocationApi
from allocation_api.settings import ApiSettings
from local.environment import aws_environment, function_environment
from local.gateway.api_app import api_app
from local.gateway.authorizer import JwtAuthorizer
from local.gateway.http_api import HttpApi
from local.gateway.metrics import EmfCollector
from local.gateway.server import AsgiServer
from local.gateway.tokens import AUDIENCE, ISSUER, TokenIssuer
from local.lambda_runtime.environment import EnvironmentPool
from local.lambda_runtime.functions import ALLOCATION_API, deployed
from scheduler.database.connection import Database, connect
from scheduler.settings import DatabaseSettings
from tests.integration.api.client import Client
from tests.integration.api.rows import Rows
from tests.support.locks import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pymysql.cursors import Cursor

UNREACHABLE = "127.0.0.1:1"
DEVICES = """
    INSERT INTO devices (id, name, cpu_cores, memory_mb)
    SELECT CONCAT('device-', seq), 'x', 1 + seq % 8, 1024 FROM seq_1_to_50
"""


@pytest.fixture
def api_environment(database_url: str) -> dict[str, str]:
    """The environment variables of the function; broker and AWS are unreachable."""
    return {
        "DATABASE_URL": database_url,
        "BROKER_URL": f"amqp://{UNREACHABLE}/cloudphone",
        "PAYMENT_FAILURES_TABLE": "payment-failures",
        "REALTIME_TICKETS_TABLE": "realtime-tickets",
    }


@pytest.fixture
def start_api(
    api_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Client]:
    """Return a function that starts the API, with further variables if given."""
    for name, value in aws_environment(f"http://{UNREACHABLE}").items():
        monkeypatch.setenv(name, value)

    def start(**variables: Any) -> Client:  # noqa: ANN401 - settings of any type
        settings = ApiSettings.model_validate(api_environment | variables)
        return Client(AllocationApi(settings).handle)

    return start


@pytest.fixture
def api(start_api: Callable[..., Client]) -> Client:
    return start_api()


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    settings = DatabaseSettings.model_validate({"DATABASE_URL": database_url})
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SET autocommit = 1")
        yield Rows(cursor)


@pytest.fixture
def other(database_url: str) -> Iterator[Cursor]:
    """A transaction that runs beside those of the API."""
    settings = DatabaseSettings.model_validate({"DATABASE_URL": database_url})
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def locked_device(database_url: str) -> Callable[[str], AbstractContextManager[None]]:
    """Return a context in which another transaction locks the row of a device."""
    settings = DatabaseSettings.model_validate({"DATABASE_URL": database_url})

    return partial(locked, settings, "SELECT id FROM devices WHERE id = %s FOR UPDATE")


@pytest.fixture
def issuer(tmp_path: Path) -> TokenIssuer:
    return TokenIssuer.of(tmp_path)


@pytest.fixture
def api_settings() -> dict[str, str]:
    """Variables of the API at `api_url` that differ from the template's; a module may override."""
    return {}


@pytest.fixture
def api_url(
    database_url: str,
    broker_url: str,
    aws_url: str,
    api_settings: dict[str, str],
    issuer: TokenIssuer,
    tmp_path: Path,
) -> Iterator[str]:
    """The URL of the API, which has a few devices."""
    database = Database(DatabaseSettings.model_validate({"DATABASE_URL": database_url}))
    with closing(database), database.transaction() as cursor:
        cursor.execute(DEVICES)
    environment = function_environment(database_url, broker_url, aws_url) | api_settings
    pool = EnvironmentPool(deployed(ALLOCATION_API, environment, tmp_path), 2)
    authorizer = JwtAuthorizer(issuer.jwks(), ISSUER, frozenset((AUDIENCE,)))
    app = api_app(
        HttpApi(pool, authorizer), issuer.jwks(), EmfCollector(tmp_path), lambda: "local-token"
    )
    server = AsgiServer(app, 0)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    pool.close()
