"""The HTTP API of the deployed stack and the console page, on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local.gateway.api_app import api_app
from local.gateway.authorizer import JwtAuthorizer
from local.gateway.console import local_console
from local.gateway.http_api import HttpApi
from local.gateway.metrics import EmfCollector
from local.gateway.server import AsgiServer
from local.gateway.tokens import AUDIENCE, DAY_SECONDS, ISSUER, TokenIssuer
from local.lambda_runtime.environment import EnvironmentPool
from local.lambda_runtime.functions import ALLOCATION_API, deployed
from local.paths import StateDir
from ops.direct import DirectOperations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_API_ENVIRONMENTS: Final = 8
"""Concurrent invocations of the API function."""
_TOKEN_SECONDS: Final = 30 * DAY_SECONDS
_CONSOLE_TOKEN_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Gateway:
    """The running servers; `tokens` has a first token for each user id of the API."""

    tokens: dict[str, str]
    console_token: str
    api: AsgiServer
    console: AsgiServer
    pool: EnvironmentPool

    def stop(self) -> None:
        """Close both ports and the function's environments."""
        self.console.stop()
        self.api.stop()
        self.pool.close()


def start_gateway(
    port: int, console_port: int, environment: Mapping[str, str], state_dir: Path
) -> Gateway:
    """Serve the HTTP API and the console page on 127.0.0.1 and return at once.

    Args:
        port: the API's; it also serves /docs, /metrics and /.well-known/jwks.json.
        console_port: the console page's.
        environment: all environment variables of the functions. The console shows the messages
            sent by AWS_ENDPOINT_URL.
        state_dir: contains the key of the tokens and the functions' logs.

    Raises:
        OSError: a port is taken.
    """
    issuer = TokenIssuer.of(state_dir)
    log_dir = StateDir(state_dir).logs / "functions"
    pool = EnvironmentPool(deployed(ALLOCATION_API, environment, log_dir), _API_ENVIRONMENTS)
    http_api = HttpApi(pool, JwtAuthorizer(issuer.jwks(), ISSUER, frozenset((AUDIENCE,))))
    metrics = EmfCollector(log_dir)

    def admin_token() -> str:
        return issuer.issue_token("console", admin=True, ttl_seconds=_CONSOLE_TOKEN_SECONDS)

    def docs_token() -> str:
        return issuer.issue_token("admin", admin=True, ttl_seconds=_TOKEN_SECONDS)

    page, token = local_console(
        DirectOperations(), http_api, admin_token, environment["AWS_ENDPOINT_URL"], state_dir
    )
    api = AsgiServer(api_app(http_api, issuer.jwks(), metrics, docs_token), port)
    try:
        console = AsgiServer(page, console_port)
    except OSError:
        api.stop()
        raise
    return Gateway(_tokens(issuer), token, api, console, pool)


def _tokens(issuer: TokenIssuer) -> dict[str, str]:
    return {
        "admin": issuer.issue_token("admin", admin=True, ttl_seconds=_TOKEN_SECONDS),
        "user-123": issuer.issue_token("user-123", ttl_seconds=_TOKEN_SECONDS),
    }
