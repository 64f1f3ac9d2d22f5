"""The console on the local platform: the page of `ops.console`, and what only this machine has."""

from __future__ import annotations

from dataclasses import asdict
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from local.aws import sent_messages
from local.paths import write_private
from ops.console.access import new_token
from ops.console.app import ConsoleSettings, console_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ops.interface import Operations

_MAX_MESSAGES: Final = 20
_HIDDEN: Final = frozenset({"title", "style", "script"})
_REFRESH_SECONDS: Final = 2.0
_TOKEN_FILE: Final = "console-token"  # noqa: S105 - the name of a file


def local_console(
    operations: Operations,
    http_api: ASGIApp,
    admin_token: Callable[[], str],
    aws_url: str,
    state_dir: Path,
) -> tuple[Starlette, str]:
    """Return the application, which calls the API as an administrator, and the page's token."""
    token = console_token(state_dir)

    def messages(_request: Request) -> Response:  # not async: it calls AWS
        return JSONResponse(newest_messages(aws_url))

    settings = ConsoleSettings(
        token,
        state_dir,
        _REFRESH_SECONDS,
        allow_publish=True,
        is_local=True,
        routes=(
            Route("/console/messages", messages),
            Mount("/api", app=_AsAdmin(http_api, admin_token)),
        ),
    )
    return console_app(operations, settings), token


def console_token(state_dir: Path) -> str:
    """Return the token of a state folder, so that an open page survives a restart."""
    path = state_dir / _TOKEN_FILE
    if not path.exists():
        state_dir.mkdir(parents=True, exist_ok=True)
        write_private(path, new_token())
    return path.read_text("utf-8")


def newest_messages(aws_url: str) -> dict[str, Any]:
    """Return the newest sent e-mails and text messages, and how many there are of each."""
    sent = sent_messages(aws_url)
    return {
        "mails": [
            {"to": mail.to, "subject": mail.subject, "text": _text_of(mail.html)}
            for mail in sent.mails[: -_MAX_MESSAGES - 1 : -1]
        ],
        "sms": [asdict(sms) for sms in sent.sms[: -_MAX_MESSAGES - 1 : -1]],
        "totals": {"mails": len(sent.mails), "sms": len(sent.sms)},
    }


class _Text(HTMLParser):
    """The words of an e-mail's body; the page may not parse it, because it has inline styles."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - as HTMLParser
        """Leave out what is not shown."""
        self._hidden = tag in _HIDDEN

    def handle_endtag(self, tag: str) -> None:
        """Show what follows."""
        self._hidden = self._hidden and tag not in _HIDDEN

    def handle_data(self, data: str) -> None:
        """Keep the words."""
        if not self._hidden:
            self.words += data.split()


def _text_of(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    parser.close()
    return " ".join(parser.words)


class _AsAdmin:
    """Adds an administrator's token to API requests, so that the page needs none."""

    def __init__(self, http_api: ASGIApp, token: Callable[[], str]) -> None:
        self._http_api = http_api
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        MutableHeaders(scope=scope)["authorization"] = f"Bearer {self._token()}"
        await self._http_api(scope, receive, send)
