"""Keeps other websites in the developer's browser away from the console.

The console acts as admin without a login, so only its own page may use it: a request must be
addressed to this machine by name (a rebound DNS name is not) and, if a browser says where it
comes from, come from the same origin (OWASP CSRF Prevention, "verifying origin").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_NAMES: Final = frozenset(("127.0.0.1", "localhost"))


class LocalOnly:
    """Refuses requests that another website made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if is_local(Headers(scope=scope)):
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse("not from this page", 403)(scope, receive, send)


def is_local(headers: Headers) -> bool:
    """Tell whether a request comes from the console's own page, or from no browser at all."""
    host = headers.get("host", "")
    if host.rpartition(":")[0] not in _NAMES:
        return False
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "none")
    return origin in (None, f"http://{host}") and site in {"none", "same-origin"}
