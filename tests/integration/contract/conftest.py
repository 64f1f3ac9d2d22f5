"""The API behind the local gateway: a real function process, a real database, a real socket."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from local.environment import function_environment
from local.event_source_mapping.functions import ALLOCATION_API, deployed
from local.gateway.api_app import api_app
from local.gateway.authorizer import JwtAuthorizer
from local.gateway.http_api import HttpApi
from local.gateway.metrics import EmfCollector
from local.gateway.pool import EnvironmentPool
from local.gateway.server import AsgiServer
from local.gateway.tokens import AUDIENCE, ISSUER, TokenIssuer
from scheduler.database.connection import Database
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DEVICES = """
    INSERT INTO devices (id, name, cpu_cores, memory_mb)
    SELECT CONCAT('device-', seq), 'x', 1 + seq % 8, 1024 FROM seq_1_to_50
"""
NOWHERE = "amqp://127.0.0.1:1/cloudphone"


@pytest.fixture
def issuer(tmp_path: Path) -> TokenIssuer:
    return TokenIssuer.of(tmp_path)


@pytest.fixture
def api_url(database_url: str, aws_url: str, issuer: TokenIssuer, tmp_path: Path) -> Iterator[str]:
    """The address of the API, which has a few devices; its broker is away."""
    database = Database(DatabaseSettings.model_validate({"DATABASE_URL": database_url}))
    with closing(database), database.transaction() as cursor:
        cursor.execute(_DEVICES)
    environment = function_environment(database_url, NOWHERE, aws_url)
    pool = EnvironmentPool(deployed(ALLOCATION_API, environment, tmp_path), 2)
    authorizer = JwtAuthorizer(issuer.jwks(), ISSUER, frozenset((AUDIENCE,)))
    app = api_app(HttpApi(pool, authorizer), issuer.jwks(), EmfCollector(tmp_path))
    server = AsgiServer(app, 0)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    pool.close()
