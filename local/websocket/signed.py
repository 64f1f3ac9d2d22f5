"""Turns away requests to AWS' own APIs that no AWS client made.

What stands here for AWS' APIs acts for the whole platform, and a website in the developer's
browser can send requests to this machine. It cannot send an ``Authorization`` header without being
asked first (the CORS preflight, which nothing answers), while every AWS client signs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from local.websocket.errors import aws_error

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SIGNATURE: Final = "AWS4-HMAC-SHA256 "


class SignedOnly:
    """Answers 403 to HTTP requests without a signature. The signature itself is not verified."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is signed, and WebSockets, whose clients carry a ticket."""
        is_http = scope["type"] == "http"
        if is_http and not Headers(scope=scope).get("authorization", "").startswith(_SIGNATURE):
            refusal = aws_error(403, "MissingAuthenticationTokenException", "not signed")
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)
