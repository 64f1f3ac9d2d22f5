"""``scheduler-ops token``: prints an access token for the local platform."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from operations.context import Arguments, checked
from operations.errors import OpsError
from ops.options import JsonOption  # noqa: TC001 - Typer reads it at run time
from ops.terminal import handled_errors, print_result
from scheduler.messaging.contract import ResourceId

_HOUR_SECONDS: Final = 3600


class _TokenArguments(Arguments):
    """Whose token; the API refuses other ids."""

    user: ResourceId


def print_token(
    user: Annotated[str, typer.Argument(metavar="USER", help="User id, e.g. user-123.")],
    *,
    admin: Annotated[
        bool,
        typer.Option("--admin", help="Add the group of administrators, who may act for all users."),
    ] = False,
    hours: Annotated[int, typer.Option(min=1, help="Hours until the token expires.")] = 24,
    as_json: JsonOption = False,
) -> None:
    """Print an access token for the local platform's HTTP API.

    Example: curl -H "Authorization: Bearer $(scheduler-ops token user-123)" …
    """
    with handled_errors(as_json=as_json):
        checked(_TokenArguments, {"user": user}, "token")
        token = _issued(user, admin=admin, seconds=hours * _HOUR_SECONDS)
        print_result(token, {"token": token, "user": user, "admin": admin}, as_json=as_json)


def _issued(user: str, *, admin: bool, seconds: int) -> str:
    try:
        from local.gateway.tokens import TokenIssuer  # noqa: PLC0415 - only a checkout has it
        from local.paths import StateDir  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        raise OpsError("only bin/scheduler-ops of a checkout makes tokens") from None
    return TokenIssuer.of(StateDir.default().path).issue_token(
        user, admin=admin, ttl_seconds=seconds
    )
