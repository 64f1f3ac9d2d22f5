"""schemathesis calls every operation of /openapi.json with valid and invalid data.

A schema cannot express everything, e.g. to which list a cursor belongs, so valid data may be
refused with 422. EXAMPLES (per operation) makes it longer: `make schemathesis`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.environment import function_environment
from local.gateway.api_app import api_app
from local.gateway.authorizer import JwtAuthorizer
from local.gateway.http_api import HttpApi
from local.gateway.metrics import EmfCollector
from local.gateway.server import AsgiServer
from local.gateway.tokens import AUDIENCE, ISSUER, TokenIssuer
from local.lambda_runtime.environment import EnvironmentPool
from local.lambda_runtime.functions import ALLOCATION_API, deployed
from scheduler.database.connection import Database
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = os.environ.get("EXAMPLES", "3")
# The broker is unreachable, so the health check returns 503. Released allocations can be read.
CONFIG = """
[checks]
positive_data_acceptance.enabled = false
use_after_free.enabled = false

[phases.coverage]
unexpected-methods = ["PATCH"]

[[operations]]
include-path = "/api/health"
checks.not_a_server_error.enabled = false
"""

DEVICES = """
    INSERT INTO devices (id, name, cpu_cores, memory_mb)
    SELECT CONCAT('device-', seq), 'x', 1 + seq % 8, 1024 FROM seq_1_to_50
"""
NO_BROKER = "amqp://127.0.0.1:1/cloudphone"


@pytest.fixture
def issuer(tmp_path: Path) -> TokenIssuer:
    return TokenIssuer.of(tmp_path)


@pytest.fixture
def api_url(database_url: str, aws_url: str, issuer: TokenIssuer, tmp_path: Path) -> Iterator[str]:
    """The URL of the API, which has a few devices and no broker."""
    database = Database(DatabaseSettings.model_validate({"DATABASE_URL": database_url}))
    with closing(database), database.transaction() as cursor:
        cursor.execute(DEVICES)
    environment = function_environment(database_url, NO_BROKER, aws_url)
    pool = EnvironmentPool(deployed(ALLOCATION_API, environment, tmp_path), 2)
    authorizer = JwtAuthorizer(issuer.jwks(), ISSUER, frozenset((AUDIENCE,)))
    app = api_app(HttpApi(pool, authorizer), issuer.jwks(), EmfCollector(tmp_path))
    server = AsgiServer(app, 0)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    pool.close()


def test_every_response_is_documented_and_none_is_a_server_error(
    api_url: str, issuer: TokenIssuer, tmp_path: Path
) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG, "utf-8")
    token = issuer.issue_token("fuzzer", admin=True)

    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", f"{api_url}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--max-examples", EXAMPLES, "--generation-deterministic"),
            *("--no-color", "--suppress-health-check", "all"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
