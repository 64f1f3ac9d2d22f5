"""Access control of the console: only a browser that knows its address, and no other website.

The console acts with the operator's rights, and a browser lets every page send requests to this
machine. Two things protect it: requests must come from the console's own page (`ops.own_requests`),
and all but the page's files need the token of the address. Other websites, and other users of this
machine, do not know it.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse

from ops.own_requests import is_own_request

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN_HEADER: Final = "x-console-token"  # noqa: S105 - the name of a header
OPEN_PATHS: Final = ("/", "/page/")
"""Files without secrets: the page itself, and what is below a folder."""


def new_token() -> str:
    """Return a random token."""
    return secrets.token_urlsafe(24)


def address(url: str, token: str) -> str:
    """Return the address to open: a fragment is not sent to servers, nor to other websites."""
    return f"{url}/#token={token}"


class ConsoleAccess:
    """Answers 403 to requests of other websites, and 401 to those without the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        headers = Headers(scope=scope)
        if not is_own(headers):
            refusal = PlainTextResponse("only the console page itself may call this", 403)
            await refusal(scope, receive, send)
        elif not _is_open(scope["path"]) and not self._has_token(headers):
            error = "the token is missing or old; open the address that the command has printed"
            await JSONResponse({"error": error}, 401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _has_token(self, headers: Headers) -> bool:
        return hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._token)


def is_own(headers: Headers) -> bool:
    """Return whether a request comes from the console's own page, or not from a browser."""
    return is_own_request(
        headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")
    )


def _is_open(path: str) -> bool:
    root, folder = OPEN_PATHS
    return path == root or path.startswith(folder)
