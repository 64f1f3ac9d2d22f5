"""The operations on the servers of a test, and the console over them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local.gateway.server import AsgiServer
from local.template import function_variable
from operations import catalogue
from operations.context import OperationContext
from ops.console.access import address
from ops.console.app import ConsoleSettings, console_app
from ops.local_platform import payments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from ops.interface import Operations

TOKEN = "the-token"  # noqa: S105 - of a test
NOWHERE = "127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class Deployment:
    """The operations on some servers, by default on none."""

    database_url: str = f"mysql://u:p@{NOWHERE}/x"
    broker_url: str = f"amqp://u:p@{NOWHERE}/x"
    aws_url: str = f"http://{NOWHERE}"
    management_url: str | None = None
    place: str = "test"
    at: datetime | None = None
    """When each call begins; None for the time at which it does."""

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run an operation; its result has the form in which JSON has it."""
        table = function_variable("PAYMENT_FAILURES_TABLE")
        found = {"aws": self.aws_url, "payment_failures_table": table}
        context = OperationContext(
            lambda: self.broker_url,
            lambda: self.database_url,
            management_url=self.management_url,
            payments=lambda: payments(found),
        )
        if self.at:
            context = replace(context, now=self.at)
        result: dict[str, Any] = json.loads(
            json.dumps(catalogue.run(operation, arguments, context))
        )
        return result


@dataclass
class Switch:
    """The operations on servers that a test can take away."""

    now: Deployment
    place: str = "test"

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run an operation on the servers that are there now."""
        return self.now.call(operation, arguments)


@contextmanager
def served(operations: Operations, folder: Path, **settings: Any) -> Iterator[str]:  # noqa: ANN401 - as `ConsoleSettings`
    """Serve the console of some operations, and return its address without the token."""
    given = replace(ConsoleSettings(TOKEN, folder, refresh_seconds=0.5), **settings)
    server = AsgiServer(console_app(operations, given), 0)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def with_token(url: str) -> str:
    """Return the address that the operator opens."""
    return address(url, TOKEN)
