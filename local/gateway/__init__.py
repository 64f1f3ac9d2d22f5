"""The HTTP API of the deployed stack, and a console page, on one machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local.event_source_mapping.functions import ALLOCATION_API, deployed
from local.gateway.api_app import api_app
from local.gateway.authorizer import JwtAuthorizer
from local.gateway.console.app import console_app
from local.gateway.http_api import HttpApi
from local.gateway.metrics import EmfCollector
from local.gateway.pool import EnvironmentPool
from local.gateway.server import AsgiServer
from local.gateway.tokens import AUDIENCE, DAY_SECONDS, ISSUER, TokenIssuer
from local.paths import StateDir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

POOL_SIZE: Final = 8
_TOKEN_SECONDS: Final = 30 * DAY_SECONDS
_CONSOLE_TOKEN_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Gateway:
    """The running servers and tokens to begin with, by user id."""

    tokens: dict[str, str]
    api: AsgiServer
    console: AsgiServer
    pool: EnvironmentPool

    def stop(self) -> None:
        """Close both ports and end the function's environments."""
        self.console.stop()
        self.api.stop()
        self.pool.close()


def start_gateway(
    port: int, console_port: int, environment: Mapping[str, str], state_dir: Path
) -> Gateway:
    """Serve the HTTP API and the console page on 127.0.0.1 and return at once.

    Args:
        port: of the API; also serves /metrics and /.well-known/jwks.json.
        console_port: of the console page.
        environment: all environment variables of the functions; the console publishes to
            BROKER_URL and shows what AWS_ENDPOINT_URL has sent.
        state_dir: keeps the key of the tokens; the functions' logs are below it.

    Raises:
        OSError: a port is taken.
    """
    issuer = TokenIssuer.of(state_dir)
    log_dir = StateDir(state_dir).logs / "functions"
    pool = EnvironmentPool(deployed(ALLOCATION_API, environment, log_dir), POOL_SIZE)
    http_api = HttpApi(pool, JwtAuthorizer(issuer.jwks(), ISSUER, frozenset((AUDIENCE,))))
    metrics = EmfCollector(log_dir)

    def admin_token() -> str:
        return issuer.issue_token("console", admin=True, ttl_seconds=_CONSOLE_TOKEN_SECONDS)

    page = console_app(http_api, admin_token, metrics, environment)
    api = AsgiServer(api_app(http_api, issuer.jwks(), metrics), port)
    try:
        console = AsgiServer(page, console_port)
    except OSError:
        api.stop()
        raise
    return Gateway(_tokens(issuer), api, console, pool)


def _tokens(issuer: TokenIssuer) -> dict[str, str]:
    return {
        "admin": issuer.issue_token("admin", admin=True, ttl_seconds=_TOKEN_SECONDS),
        "user-123": issuer.issue_token("user-123", ttl_seconds=_TOKEN_SECONDS),
    }
