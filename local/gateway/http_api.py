"""The HTTP API: an ASGI application that does what API Gateway does in front of the function."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from local.event_source_mapping.environment import FunctionError, PayloadTooLargeError
from local.gateway.authorizer import UnauthorizedError
from local.gateway.event import HttpRequest, http_api_event, new_request_id
from local.gateway.response import http_response, internal_server_error, message
from local.gateway.routes import Route, find_route

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from local.gateway.authorizer import JwtAuthorizer
    from local.gateway.pool import EnvironmentPool

BODY_LIMIT: Final = 10 * 1024 * 1024
"""Bytes of a request's body (HTTP API quota)."""
INTEGRATION_SECONDS: Final = 30.0
"""How long the HTTP API waits for the function (HTTP API quota)."""

_NOT_QUOTABLE: Final = re.compile(r"[^ !#-\[\]-~]")


class HttpApi:
    """Routes, authorizes and passes requests to the function."""

    def __init__(
        self,
        pool: EnvironmentPool,
        authorizer: JwtAuthorizer,
        timeout_seconds: float = INTEGRATION_SECONDS,
    ) -> None:
        self._pool = pool
        self._authorizer = authorizer
        self._timeout = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        response = await self._answer(Request(scope, receive), request_id)
        response.headers["apigw-requestid"] = request_id
        await response(scope, receive, send)

    async def _answer(self, request: Request, request_id: str) -> Response:
        found = find_route(request.method, request.scope["path"])
        if found is None:
            return message(404, "Not Found")
        route, parameters = found
        try:
            claims = self._claims(route, request)
        except UnauthorizedError as error:
            return _unauthorized(error)
        body = await _read_body(request)
        if body is None:
            return message(413, "Request Entity Too Large")
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
            return message(413, "Request Entity Too Large")
        except TimeoutError:
            return message(503, "Service Unavailable")
        except FunctionError:
            return internal_server_error()


def _unauthorized(error: UnauthorizedError) -> Response:
    # The text may quote the token, which the sender chose.
    reason = _NOT_QUOTABLE.sub("?", str(error))
    challenge = f'Bearer scope="" error="invalid_token" error_description="{reason}"'
    return message(401, "Unauthorized", {"www-authenticate": challenge})


async def _read_body(request: Request) -> bytes | None:
    """Return the body; None when it is over the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
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
