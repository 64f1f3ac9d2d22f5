"""The HTTP API: an ASGI application that replaces API Gateway in front of the function."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from local.gateway.authorizer import UnauthorizedError
from local.gateway.payload import (
    HttpRequest,
    gateway_response,
    http_api_event,
    http_response,
    internal_server_error,
    new_request_id,
)
from local.gateway.routes import Route, find_route
from local.lambda_runtime.environment import FunctionError, PayloadTooLargeError

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from local.gateway.authorizer import JwtAuthorizer
    from local.lambda_runtime.environment import EnvironmentPool

MAX_REQUEST_BYTES: Final = 10 * 1024 * 1024
"""Maximum size of a request's body (HTTP API quota)."""

_FUNCTION_TIMEOUT_SECONDS: Final = 30.0
"""How long the HTTP API waits for the function (HTTP API quota)."""

_NOT_QUOTABLE: Final = re.compile(r"[^ !#-\[\]-~]")


class HttpApi:
    """Routes and authorizes requests and passes them to the function."""

    def __init__(
        self,
        pool: EnvironmentPool,
        authorizer: JwtAuthorizer,
        timeout_seconds: float = _FUNCTION_TIMEOUT_SECONDS,
    ) -> None:
        self._pool = pool
        self._authorizer = authorizer
        self._timeout = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        request_id = new_request_id()
        response = await self._respond(Request(scope, receive), request_id)
        response.headers["apigw-requestid"] = request_id
        await response(scope, receive, send)

    async def _respond(self, request: Request, request_id: str) -> Response:
        found = find_route(request.method, request.scope["path"])
        if found is None:
            return gateway_response(404, "Not Found")
        route, parameters = found
        try:
            claims = self._claims(route, request)
        except UnauthorizedError as error:
            return _unauthorized(error)
        body = await _read_body(request)
        if body is None:
            return gateway_response(413, "Request Entity Too Large")
        event = http_api_event(_http_request(request, body), route, parameters, claims, request_id)
        return await self._invoke(json.dumps(event).encode())

    def _claims(self, route: Route, request: Request) -> dict[str, str] | None:
        if not route.authorized:
            return None
        return self._authorizer.claims(request.headers.get("authorization"))

    async def _invoke(self, event: bytes) -> Response:
        invocation = asyncio.wrap_future(self._pool.submit(event))
        try:
            return http_response(await asyncio.wait_for(invocation, self._timeout))
        except PayloadTooLargeError:
            return gateway_response(413, "Request Entity Too Large")
        except TimeoutError:
            return gateway_response(503, "Service Unavailable")
        except FunctionError:
            return internal_server_error()


def _unauthorized(error: UnauthorizedError) -> Response:
    # The text may quote the token, which is untrusted.
    reason = _NOT_QUOTABLE.sub("?", str(error))
    challenge = f'Bearer scope="" error="invalid_token" error_description="{reason}"'
    return gateway_response(401, "Unauthorized", {"www-authenticate": challenge})


async def _read_body(request: Request) -> bytes | None:
    """Return the body; None when it exceeds the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            return None
    return bytes(body)


def _http_request(request: Request, body: bytes) -> HttpRequest:
    return HttpRequest(
        method=request.method,
        path=request.scope["path"],
        query=request.scope["query_string"].decode("ascii", "replace"),
        headers=tuple(request.headers.items()),
        body=body,
        protocol=f"HTTP/{request.scope['http_version']}",
        client=request.client.host if request.client else "",
        port=request.scope["server"][1],
    )
