"""The console's application: the files of the page, and the operations that it calls."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from operations.context import checked
from operations.dead_letters.selection import work_queue_name
from operations.errors import ExitCode, OpsError
from operations.json_data import read_object
from operations.publishing import message_ids
from ops.console.access import ConsoleAccess
from ops.console.bodies import BeginBody, FormBody, GroupsBody
from ops.console.forms import event_forms, filled_in
from ops.console.letter_work import DISCARD, LetterWork
from ops.console.letters import LIST, LetterGroups
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from scheduler.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ops.interface import Operations

_PAGE: Final = Path(__file__).with_name("page")
_OVERVIEW: Final = "overview"
_PUBLISH: Final = "publish"
_OF_LETTERS: Final = "dead-letters."
_PATIENCE_SECONDS: Final = 25.0
"""With the time of the function, less than the page waits: what it has given up is not done."""
_HEADERS: Final = {
    # Only its own files: the page loads nothing from other hosts, and has no inline script.
    "content-security-policy": "default-src 'none'; connect-src 'self'; script-src 'self'; "
    "style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """How the console is served.

    Attributes:
        token: part of the address; requests without it are refused.
        folder: for the copies of discarded dead letters.
        refresh_seconds: between refreshes.
        allow_publish: whether the page may publish events.
        is_local: whether the routes of the local platform are there: its API, the sent messages.
        routes: more routes of the local platform.
    """

    token: str = field(repr=False)
    folder: Path
    refresh_seconds: float = 5.0
    allow_publish: bool = False
    is_local: bool = False
    routes: Sequence[BaseRoute] = ()


def console_app(operations: Operations, settings: ConsoleSettings) -> Starlette:
    """Return the application; it does what the operations allow their caller."""
    routes = _Routes(operations, settings)
    return Starlette(
        routes=[
            Route("/", _page),
            Mount("/page", StaticFiles(directory=_PAGE)),
            Route("/console/config", routes.config),
            Route("/console/forms", routes.forms),
            Route("/console/publish", routes.publish, methods=["POST"]),
            Route("/console/letters", routes.progress),
            Route("/console/letters/begin", routes.begin, methods=["POST"]),
            Route("/console/letters/stop", routes.stop, methods=["POST"]),
            Route("/console/operations/{name}", routes.operate, methods=["POST"]),
            *settings.routes,
        ],
        middleware=[
            Middleware(_SafeHeaders),
            Middleware(ConsoleAccess, token=settings.token),
        ],
    )


class _Json(JSONResponse):
    """JSON in ASCII: a letter may contain half a surrogate pair, which UTF-8 cannot encode."""

    def render(self, content: object) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


async def _page(_request: Request) -> Response:
    return FileResponse(_PAGE / "index.html")


class _SafeHeaders:
    """Adds the headers that restrict what the page can do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Any) -> None:  # noqa: ANN401 - an ASGI message
            if message["type"] == "http.response.start":
                message["headers"] += [(k.encode(), v.encode()) for k, v in _HEADERS.items()]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class _Routes:
    def __init__(self, operations: Operations, settings: ConsoleSettings) -> None:
        self._operations = operations
        self._settings = settings
        self._groups = LetterGroups(operations)
        self._work = LetterWork(operations, self._groups, settings.folder)

    async def config(self, _request: Request) -> Response:
        settings = self._settings
        return _Json(
            {
                "place": self._operations.place,
                "version": VERSION,
                "refreshSeconds": settings.refresh_seconds,
                "allowPublish": settings.allow_publish,
                "isLocal": settings.is_local,
            }
        )

    async def forms(self, _request: Request) -> Response:
        return _Json(event_forms())

    async def operate(self, request: Request) -> Response:
        """Run an operation of docs/operations-interface.md."""
        name = request.path_params["name"]
        if name == _PUBLISH:
            return _Json({"error": "events are published by forms"}, 403)
        if name == DISCARD:
            return _Json({"error": "letters are discarded with a copy only"}, 403)
        return await _answer(request, lambda body: self._operate(name, body))

    def _operate(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if name == LIST:
            look = checked(GroupsBody, arguments, name)
            return self._groups.read(look.depth, fresh=look.fresh)
        if name == _OVERVIEW:
            return self._overview(arguments)
        if name.startswith(_OF_LETTERS):
            return self._on_letters(name, arguments)
        return self._operations.call(name, arguments)

    def _on_letters(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self._work.require_none()
        return self._groups.alone(lambda: self._operations.call(name, arguments), _PATIENCE_SECONDS)

    def _overview(self, arguments: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        found = self._operations.call(_OVERVIEW, arguments)
        letters = found.get("broker", {}).get("queues", {}).get(DEAD_LETTER_QUEUE)
        if letters:
            seen = self._groups.whole_depth(letters["ready"], began)
            letters["ready"] = self._work.whole_depth(seen)
        return found

    async def publish(self, request: Request) -> Response:
        if not self._settings.allow_publish:
            return _Json({"error": "start the console with --allow-publish"}, 403)
        return await _answer(request, self._publish)

    def _publish(self, given: dict[str, Any]) -> dict[str, Any]:
        form = checked(FormBody, given, _PUBLISH)
        raw = filled_in(form.event_type, form.fields)
        ids = message_ids(1, None)
        body = base64.b64encode(raw).decode("ascii")
        self._operations.call(_PUBLISH, {"eventType": form.event_type, "body": body, "ids": ids})
        return {"messageId": ids[0]}

    async def progress(self, _request: Request) -> Response:
        return _Json(self._work.progress())

    async def begin(self, request: Request) -> Response:
        """Begin to replay or discard the letters of a group."""
        return await _answer(request, self._begin)

    def _begin(self, given: dict[str, Any]) -> dict[str, Any]:
        begin = checked(BeginBody, given, "begin")
        selection = begin.selection.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if begin.to is not None:
            selection["to"] = work_queue_name(begin.to)
        self._work.begin(begin.verb, selection, begin.until, begin.expected)
        return self._work.progress()

    async def stop(self, _request: Request) -> Response:
        """Stop after the call that is under way."""
        self._work.stop()
        return _Json(self._work.progress())


async def _answer(request: Request, work: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    """Do something that may block with a request's body, which is empty if it has no arguments.

    422 is a mistake of the caller, 502 any other failure.
    """
    try:
        body = read_object(await request.body() or b"{}")
        return _Json(await run_in_threadpool(work, body))
    except OpsError as error:
        return _Json({"error": str(error)}, 422 if error.code is ExitCode.USAGE else 502)
