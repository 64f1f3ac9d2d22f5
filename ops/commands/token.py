"""``scheduler-ops token``: issues an access token for the local platform."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from local.gateway.tokens import TokenIssuer
from local.paths import StateDir
from ops import options

_HOUR_SECONDS: Final = 3600


def command(
    user: Annotated[str, typer.Argument(metavar="USER", help="User id, e.g. user-123.")],
    *,
    admin: Annotated[bool, typer.Option("--admin", help="May act for every user.")] = False,
    hours: Annotated[int, typer.Option(min=1, help="How long it is valid.")] = 24,
    as_json: options.AsJson = False,
) -> None:
    """Print an access token that the local platform accepts.

    Use it as: curl -H "Authorization: Bearer $(scheduler-ops token user-123)" …
    """
    issuer = TokenIssuer.of(StateDir.default().path)
    token = issuer.issue_token(user, admin=admin, ttl_seconds=hours * _HOUR_SECONDS)
    options.say(token, {"token": token, "user": user, "admin": admin}, as_json=as_json)
