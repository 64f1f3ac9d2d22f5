"""Options that several commands share, and their defaults from the local platform."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from local import endpoints
from local.paths import StateDir
from ops.errors import OpsError

BrokerUrlOption = Annotated[
    str | None,
    typer.Option(
        "--broker-url",
        metavar="URL",
        envvar="BROKER_URL",
        show_envvar=True,
        help="amqp(s)://user:password@host:port/vhost. Default: the broker of the local platform.",
    ),
]
DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        envvar="DATABASE_URL",
        show_envvar=True,
        help="mysql://user:password@host:port/name. Default: the database of the local platform.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def broker_url(given: str | None) -> str:
    """Return the given URL of the broker, or that of the running local platform.

    Raises:
        OpsError: no URL is given and the local platform is not running.
    """
    return given or _local_url("amqp", "--broker-url")


def database_url(given: str | None) -> str:
    """Return the given URL of the database, or that of the running local platform.

    Raises:
        OpsError: no URL is given and the local platform is not running.
    """
    return given or _local_url("database", "--database-url")


def local_endpoints(broker: str) -> dict[str, Any]:
    """Return the endpoints of the local platform if this is its broker, else an empty dict."""
    local = endpoints.read(StateDir.default().endpoints) or {}
    return local if local.get("amqp") == broker else {}


def _local_url(endpoint: str, option: str) -> str:
    local = endpoints.read(StateDir.default().endpoints)
    if local is None:
        raise OpsError(f"the local platform is not running; start it (make run), or add {option}")
    return str(local[endpoint])
