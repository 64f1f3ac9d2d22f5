"""Calls the API with the events that the local gateway makes of HTTP requests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from local.gateway.payload import HttpRequest, http_api_event
from local.gateway.routes import find_route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ADMIN: Final = {"sub": "root", "cognito:groups": "[users cloudphone:admin]"}


def user(user_id: str) -> dict[str, str]:
    """Return the claims of a user."""
    return {"sub": user_id, "scope": "read"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of the API."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """Return the code of an error."""
        return str(self.body["error"]["code"])

    @property
    def fields(self) -> list[str]:
        """Return the fields that the details of an error name."""
        return [problem["field"] for problem in self.body["error"]["details"]]


class Client:
    """Sends requests to a handler."""

    def __init__(self, handler: Callable[[dict[str, Any], object], dict[str, Any]]) -> None:
        self._handler = handler

    def send(
        self,
        method: str,
        target: str,
        claims: dict[str, str] | None = ADMIN,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        client: str = "127.0.0.1",
    ) -> Reply:
        """Send a request.

        Args:
            method: e.g. ``GET``.
            target: path and query, percent-encoded.
            claims: those of the token; None means without a token.
            body: bytes are sent as they are, anything else as JSON.
            headers: names in lower case; ``content-type`` is JSON by default.
            client: the address from which it comes.
        """
        event = http_event(method, target, claims, body, headers, client)
        response = self._handler(event, None)
        assert response["headers"]["Content-Type"] == "application/json"
        return Reply(response["statusCode"], json.loads(response["body"]), response["headers"])

    def get(self, target: str, claims: dict[str, str] | None = ADMIN) -> Reply:
        """Send a GET request."""
        return self.send("GET", target, claims)

    def allocate(self, user_id: str, claims: dict[str, str] | None = ADMIN, **fields: Any) -> Reply:  # noqa: ANN401 - any JSON
        """Request a device."""
        return self.send("POST", "/api/allocations", claims, {"userId": user_id, **fields})


def http_event(
    method: str,
    target: str,
    claims: dict[str, str] | None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    client: str = "127.0.0.1",
) -> dict[str, Any]:
    """Return the event of a request; see `Client.send`."""
    path, _, query = target.partition("?")
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    given = {"content-type": "application/json", **(headers or {})}
    request = HttpRequest(
        method=method,
        path=unquote(path),
        query=query,
        headers=tuple(given.items()),
        body=raw,
        protocol="HTTP/1.1",
        client=client,
        port=80,
    )
    found = find_route(method, request.path)
    assert found, target
    return http_api_event(request, *found, claims, "request-1")
