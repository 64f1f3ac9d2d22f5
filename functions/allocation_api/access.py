"""Access rules: every route states who may call it; a route without a rule is closed."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from allocation_api.errors import ApiError, forbidden, not_found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
    from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

    from allocation_api.caller import Caller

RouteFunction = TypeVar("RouteFunction", bound=Callable[..., Any])


class Access(Enum):
    """Who may call a route."""

    ANYONE = auto()
    """Everyone, without a token."""
    USER = auto()
    """Every authenticated user."""
    OWNER = auto()
    """The user who owns the resource, or an administrator. Where the path does not name the owner
    as ``user_id``, the route looks up the owner and calls `Caller.require`."""
    EACH = auto()
    """Every authenticated user; the route checks each item of the batch as `OWNER` does."""
    ADMIN = auto()
    """Administrators."""


class Router(APIGatewayHttpRouter):
    """The routes of one resource, and who may call them.

    Only callers that its access rule allows may call a route::

        @router.get("/api/devices", operation_id="listDevices", summary="List the devices")
        @router.allow(Access.USER)
        def look_up() -> ...
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # not annotated in Powertools
        self.rules: dict[tuple[str, str], Access] = {}
        """By method and path, e.g. ``("GET", "/api/devices/{device_id}")``."""
        self._allowed: dict[Callable[..., Any], Access] = {}

    @property
    def caller(self) -> Caller:
        """Return who sent the current request; only for routes that are not open to anyone."""
        caller: Caller = self.context["caller"]
        return caller

    @property
    def language(self) -> str | None:
        """Return the locale that the current request asks for; None if it does not."""
        language: str | None = self.context["language"]
        return language

    def allow(self, access: Access) -> Callable[[RouteFunction], RouteFunction]:
        """Decorate a function with an access rule; stands below the decorator of the route."""

        def remember(function: RouteFunction) -> RouteFunction:
            self._allowed[function] = access
            return function

        return remember

    def route(
        self,
        rule: str,
        method: Any,  # noqa: ANN401 - as in Powertools
        *args: Any,  # noqa: ANN401 - passed on
        **kwargs: Any,  # noqa: ANN401 - passed on
    ) -> Callable[[RouteFunction], RouteFunction]:
        """Register a route, and its access rule if it has one; ``get`` and ``post`` call this."""
        register = super().route(rule, method, *args, **kwargs)
        path = re.sub(r"<(\w+)>", r"{\1}", rule)

        def register_with_rule(function: RouteFunction) -> RouteFunction:
            if function in self._allowed:
                self.rules[method, path] = self._allowed[function]
            return register(function)

        return register_with_rule


class AccessGuard:
    """Checks requests against the access rules.

    Args:
        rules: by method and path.
        refuse_deleted: raises an exception if a user was deleted; it queries the database.
    """

    def __init__(
        self, rules: Mapping[tuple[str, str], Access], refuse_deleted: Callable[[str], None]
    ) -> None:
        self._rules = rules
        self._refuse_deleted = refuse_deleted

    def check(self, app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
        """Let a request through if the rule of its route allows it; a middleware.

        Raises:
            ApiError: 403; or 404 and 405 as if there were no route, if the route has no rule.
        """
        request = app.request
        access = self._rules.get((request.method, request.route))
        if access is None:
            raise self._no_route(request.method, request.route)
        caller: Caller = app.context["caller"]
        if access is Access.ADMIN and not caller.is_admin:
            raise forbidden("only an administrator may do this")
        if access is Access.OWNER and "user_id" in request.path_parameters:
            # Not validated yet: still as `allocation_api.requests.routable` encoded it.
            caller.require(unquote(request.path_parameters["user_id"]))
        return next_middleware(app)

    def check_deleted(
        self, app: APIGatewayHttpResolver, next_middleware: NextMiddleware
    ) -> Response[Any]:
        """Refuse callers who were deleted; a middleware for requests that are valid.

        Raises:
            RefusedError: the caller was deleted.
        """
        request = app.request
        if self._rules[request.method, request.route] is not Access.ANYONE:
            self._refuse_deleted(app.context["caller"].user_id)
        return next_middleware(app)

    def is_open(self, method: str, path: str) -> bool:
        """Return whether a request needs no token."""
        return self._rules.get((method, path)) is Access.ANYONE

    def _no_route(self, method: str, path: str) -> ApiError:
        literal = sorted(verb for verb, template in self._rules if template == path)
        matching = (verb for verb, template in self._rules if _pattern(template).fullmatch(path))
        allowed = literal or sorted(set(matching))
        if not allowed:
            return not_found("route")
        message = f"{method} is not allowed here"
        headers = {"Allow": ", ".join(allowed)}
        return ApiError(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
            {"allowed": allowed},
            headers,
        )


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", template))
