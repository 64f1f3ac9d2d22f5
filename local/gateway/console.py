"""The application on the console's port: the page, and the routes that only the page may call."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from events.samples import VALID
from local.aws import sent_messages
from local.gateway.api_app import metrics_route
from local.own_requests import is_own_request
from operations.errors import InvalidInputError, OpsError
from operations.event_bodies import fields, fill_in, to_bytes, validate
from operations.publishing import message_ids, publish_event
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from local.gateway.metrics import EmfCollector
    from ops.interface import Operations

_MAX_MESSAGES: Final = 20
_PAGE: Final = Path(__file__).with_name("console.html")
_PAGE_HEADERS: Final = {
    # The page is one file with inline script and style, and loads nothing else.
    "content-security-policy": "default-src 'none'; connect-src 'self'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
    "cache-control": "no-store",
}


def console_app(
    http_api: ASGIApp,
    admin_token: Callable[[], str],
    metrics: EmfCollector,
    environment: Mapping[str, str],
    operations: Operations,
) -> Starlette:
    """Return the application for the console's port; it calls the API as an administrator."""
    broker_url = environment["BROKER_URL"]

    async def page(_request: Request) -> Response:
        return FileResponse(_PAGE, headers=_PAGE_HEADERS)

    async def events(_request: Request) -> Response:
        return JSONResponse(event_forms())

    async def publish(request: Request) -> Response:
        return await _publish(request, broker_url)

    async def operation(request: Request) -> Response:
        return await _operate(operations, request)

    def messages(_request: Request) -> Response:  # not async: it calls AWS
        return JSONResponse(newest_messages(environment["AWS_ENDPOINT_URL"]))

    return Starlette(
        routes=[
            Route("/", page),
            Route("/console/messages", messages),
            Route("/console/events", events),
            Route("/console/publish", publish, methods=["POST"]),
            Route("/console/operations/{name}", operation, methods=["POST"]),
            metrics_route(metrics),
            Mount("/api", app=_AsAdmin(http_api, admin_token)),
        ],
        middleware=[Middleware(LocalOnly)],
    )


class LocalOnly:
    """Answers 403 to requests that another website makes in the developer's browser.

    The console acts as an administrator without a login, so only its own page may use it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if is_local(Headers(scope=scope)):
            await self._app(scope, receive, send)
        else:
            text = "only the console page itself may call this"
            await PlainTextResponse(text, 403)(scope, receive, send)


def is_local(headers: Headers) -> bool:
    """Return whether a request comes from the console's own page, or not from a browser."""
    return is_own_request(
        headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")
    )


class _AsAdmin:
    """Adds an administrator's token to API requests, so that the page needs none."""

    def __init__(self, http_api: ASGIApp, token: Callable[[], str]) -> None:
        self._http_api = http_api
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        MutableHeaders(scope=scope)["authorization"] = f"Bearer {self._token()}"
        await self._http_api(scope, receive, send)


def newest_messages(aws_url: str) -> dict[str, list[dict[str, str]]]:
    """Return the latest e-mails and text messages, newest first."""
    sent = sent_messages(aws_url)
    return {
        "mails": [asdict(mail) for mail in sent.mails[: -_MAX_MESSAGES - 1 : -1]],
        "sms": [asdict(sms) for sms in sent.sms[: -_MAX_MESSAGES - 1 : -1]],
    }


def event_forms() -> list[dict[str, Any]]:
    """Return a form for each event: its fields, with initial values."""
    forms = []
    for sample in VALID:
        event_type = WORK_QUEUE_BY_NAME[sample.queues[0]].event_type
        body = json.loads(sample.messages[0].body)
        listed = [
            {
                "path": field.path,
                "required": field.required,
                "choices": field.choices,
                "value": _value_at(body, field.path),
            }
            for field in fields(event_type)
        ]
        forms.append({"eventType": event_type, "meaning": sample.meaning, "fields": listed})
    return forms


def _value_at(body: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


async def _publish(request: Request, broker_url: str) -> Response:
    """Publish the event of a submitted form; empty fields are left out."""
    form = await request.json()
    values = {path: value for path, value in form["fields"].items() if value}
    try:
        message_id = await run_in_threadpool(_publish_form, broker_url, form["eventType"], values)
    except InvalidInputError as error:
        return JSONResponse({"error": str(error)}, 422)
    except OpsError as error:
        return JSONResponse({"error": str(error)}, 502)
    return JSONResponse({"messageId": message_id})


async def _operate(operations: Operations, request: Request) -> Response:
    """Run an operation of docs/operations-interface.md on the local platform."""
    name, arguments = request.path_params["name"], await request.json()
    try:
        result = await run_in_threadpool(operations.call, name, arguments)
    except InvalidInputError as error:
        return JSONResponse({"error": str(error)}, 422)
    except OpsError as error:
        return JSONResponse({"error": str(error)}, 502)
    return JSONResponse(result)


def _publish_form(broker_url: str, event_type: str, values: dict[str, str]) -> str:
    now = datetime.now(UTC)
    body: dict[str, Any] = {"timestamp": now.isoformat()}
    fill_in(body, event_type, values)
    raw = to_bytes(body)
    validate(event_type, raw, now)
    (message_id,) = ids = message_ids(1, None)
    publish_event(broker_url, event_type, raw, ids, now)
    return message_id
