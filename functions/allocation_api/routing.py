"""Powertools' router, with what the routes of this API need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

if TYPE_CHECKING:
    from allocation_api.caller import Caller


class Router(APIGatewayHttpRouter):
    """The routes of one resource."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def caller(self) -> Caller:
        """Return who sent the current request; the route must not be open to anyone."""
        caller: Caller = self.context["caller"]
        return caller
