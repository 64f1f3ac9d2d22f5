"""Who may call which route."""

from __future__ import annotations

import re
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from allocation_api.errors import ApiError, forbidden, not_found

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
    from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

    from allocation_api.caller import Caller


class Access(Enum):
    """The role a route asks for."""

    ANYONE = auto()
    """Also without a token."""
    USER = auto()
    """Every authenticated user."""
    OWNER = auto()
    """The user whose things these are, or an administrator. Where the path does not name him as
    ``user_id``, the route finds him out and calls `Caller.require`."""
    EACH = auto()
    """Every authenticated user; each item of the batch must be his own, or he an administrator."""
    ADMIN = auto()


ACCESS: Final = {
    ("POST", "/api/allocations"): Access.OWNER,
    ("GET", "/api/allocations/{allocation_id}"): Access.OWNER,
    ("GET", "/api/allocations/user/{user_id}"): Access.OWNER,
    ("DELETE", "/api/allocations/{allocation_id}"): Access.OWNER,
    ("POST", "/api/allocations/{allocation_id}/extend"): Access.OWNER,
    ("GET", "/api/allocations/waiting/{place_id}"): Access.OWNER,
    ("DELETE", "/api/allocations/waiting/{place_id}"): Access.OWNER,
    ("GET", "/api/allocations/waiting/user/{user_id}"): Access.OWNER,
    ("GET", "/api/allocations/{allocation_id}/history"): Access.OWNER,
    ("POST", "/api/allocations/batch"): Access.EACH,
    ("POST", "/api/allocations/batch/release"): Access.EACH,
    ("POST", "/api/allocations/batch/extend"): Access.EACH,
    ("POST", "/api/reservations"): Access.OWNER,
    ("GET", "/api/reservations/{reservation_id}"): Access.OWNER,
    ("DELETE", "/api/reservations/{reservation_id}"): Access.OWNER,
    ("GET", "/api/reservations/user/{user_id}"): Access.OWNER,
    ("GET", "/api/devices"): Access.USER,
    ("GET", "/api/devices/{device_id}"): Access.USER,
    ("GET", "/api/users/{user_id}"): Access.OWNER,
    ("PUT", "/api/users/{user_id}"): Access.ADMIN,
    ("GET", "/api/users/{user_id}/notifications"): Access.OWNER,
    ("POST", "/api/users/{user_id}/notifications/{notification_id}/read"): Access.OWNER,
    ("GET", "/api/users/{user_id}/preferences"): Access.OWNER,
    ("PUT", "/api/users/{user_id}/preferences"): Access.OWNER,
    ("POST", "/api/realtime/ticket"): Access.USER,
    ("GET", "/api/health"): Access.ANYONE,
    ("GET", "/openapi.json"): Access.ANYONE,
}


def guard(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Let a request through to its route if the table allows it; a middleware.

    Raises:
        ApiError: 403; or 404 and 405 where the table has no such route, so that a route somebody
            forgot to enter is closed.
    """
    request = app.request
    access = ACCESS.get((request.method, request.route))
    if access is None:
        raise _no_route(request.method, request.route)
    caller: Caller = app.context["caller"]
    if access is Access.ADMIN and not caller.is_admin:
        raise forbidden("only an administrator may do this")
    if access is Access.OWNER and "user_id" in request.path_parameters:
        caller.require(request.path_parameters["user_id"])
    return next_middleware(app)


def is_open(method: str, path: str) -> bool:
    """Tell whether a request needs no token."""
    return ACCESS.get((method, path)) is Access.ANYONE


def _no_route(method: str, path: str) -> ApiError:
    literal = sorted(verb for verb, template in ACCESS if template == path)
    matching = (verb for verb, template in ACCESS if _pattern(template).fullmatch(path))
    allowed = literal or sorted(set(matching))
    if not allowed:
        return not_found("route")
    message = f"{method} is not possible here"
    headers = {"Allow": ", ".join(allowed)}
    return ApiError(
        HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, {"allowed": allowed}, headers
    )


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", template))
