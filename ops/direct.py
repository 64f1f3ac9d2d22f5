"""Runs operations in this process: on the local platform, or on servers that it can reach."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations import catalogue
from operations.broker import location
from operations.context import OperationContext
from operations.errors import OpsError
from ops import local_platform

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class DirectOperations:
    """The operations on a broker and a database.

    Attributes:
        broker: the URL that the operator gave; None for that of the local platform.
        database: likewise; the local platform's is used only together with its broker.
    """

    broker: str | None = None
    database: str | None = None

    @property
    def place(self) -> str:
        """Return the address of the broker, without its credentials."""
        return location(self.broker_url())

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run an operation; see `ops.interface.Operations`."""
        local = self._local()
        api = local.get("api")
        context = OperationContext(
            broker_url=self.broker_url,
            database_url=self.database_url,
            shards=local.get("shards", 1),
            management_url=local.get("rabbitmq_management"),
            payments=lambda: local_platform.payments(local),
            caller=_login(),
            outcomes=lambda: local_platform.outcomes(api) if api else None,
        )
        return catalogue.run(operation, arguments, context)

    def broker_url(self) -> str:
        """Return the address of the broker.

        Raises:
            OpsError: none is given, and the local platform is not running.
        """
        return self.broker or _local_url("amqp", "--broker-url")

    def database_url(self) -> str:
        """Return the address of the database.

        Raises:
            OpsError: none is given, and the local platform is not running or has another broker.
        """
        if self.database:
            return self.database
        if self.broker and not self._local():
            raise OpsError("no database is given; add --database-url")
        return _local_url("database", "--database-url")

    def _local(self) -> dict[str, Any]:
        """Return the endpoints of the local platform if this is its broker, else none."""
        local = local_platform.endpoints() or {}
        return local if self.broker in (None, local.get("amqp")) else {}


def _login() -> str:
    """Return who runs this process, for the timeline."""
    try:
        return f"login:{getpass.getuser()}"
    except (OSError, KeyError):  # KeyError before Python 3.13
        return "login:unknown"


def _local_url(endpoint: str, option: str) -> str:
    local = local_platform.endpoints()
    if local is None:
        raise OpsError(
            "the local platform is not running; start it (make run), name a stack (--stack), or add"
            f" {option}"
        )
    return str(local[endpoint])
