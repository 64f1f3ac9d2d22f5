"""The application on the API's port: the HTTP API, its Swagger UI, token keys and metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler.openapi import swagger_ui
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local.paths import ROOT
from local.template import cors
from ops.own_requests import is_own_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from local.gateway.http_api import HttpApi
    from local.gateway.metrics import EmfCollector

_SWAGGER_UI_FILES: Final = Path(swagger_ui.__file__).parent
_CONTRACTS: Final = ROOT / "contracts"
_DOCS_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>CloudPhone Scheduler API</title>
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="/docs/swagger-ui.js"></script>
  <script>
    const ui = SwaggerUIBundle({
      url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true,
      onComplete: () => TOKEN && ui.preauthorizeApiKey("bearer", TOKEN)
    });
  </script>
</body>
</html>
"""


def api_app(
    http_api: HttpApi, jwks: dict[str, Any], metrics: EmfCollector, docs_token: Callable[[], str]
) -> Starlette:
    """Return the application for the API's port; ``docs_token`` returns a token for Swagger UI."""

    async def keys(_request: Request) -> Response:
        return JSONResponse(jwks)

    app = Starlette(
        routes=[
            Route("/.well-known/jwks.json", keys),
            *_docs_routes(docs_token),
            metrics_route(metrics),
        ],
        middleware=[_cors()],
    )
    # Not Mount("/"): its pattern does not match a path that contains a line break.
    app.router.default = http_api
    return app


def metrics_route(metrics: EmfCollector) -> Route:
    """Return the route that Prometheus scrapes."""

    def scrape(_request: Request) -> Response:  # not async: it reads files
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})

    return Route("/metrics", scrape)


def _docs_routes(token: Callable[[], str]) -> list[Route]:
    """Return the routes of Swagger UI, which loads nothing from other hosts, and of the events."""

    async def page(request: Request) -> HTMLResponse:
        headers = request.headers
        own = is_own_request(
            headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")
        )  # the page of another website must not read the token
        text = _DOCS_PAGE.replace("TOKEN", json.dumps(token() if own else None))
        return HTMLResponse(text, headers={"cache-control": "no-store"})

    async def events(_request: Request) -> FileResponse:
        return FileResponse(_CONTRACTS / "events.html")

    async def asyncapi(_request: Request) -> FileResponse:
        return FileResponse(_CONTRACTS / "asyncapi.json")

    async def script(_request: Request) -> FileResponse:
        return FileResponse(_SWAGGER_UI_FILES / "swagger-ui-bundle.min.js")

    async def style(_request: Request) -> FileResponse:
        return FileResponse(_SWAGGER_UI_FILES / "swagger-ui.min.css")

    return [
        Route("/docs", page),
        Route("/docs/events", events),
        Route("/docs/asyncapi.json", asyncapi),
        Route("/docs/swagger-ui.js", script),
        Route("/docs/swagger-ui.css", style),
    ]


def _cors() -> Middleware:
    allowed = cors()
    return Middleware(
        CORSMiddleware,
        allow_origins=allowed["AllowOrigins"],
        allow_methods=allowed["AllowMethods"],
        allow_headers=allowed["AllowHeaders"],
        max_age=allowed["MaxAge"],
    )
