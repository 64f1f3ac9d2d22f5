"""What is served on the API's port: the HTTP API, the token keys and the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.gateway.docs import docs_routes
from local.template import cors

if TYPE_CHECKING:
    from starlette.requests import Request

    from local.gateway.http_api import HttpApi
    from local.gateway.metrics import EmfCollector


def api_app(http_api: HttpApi, jwks: dict[str, Any], metrics: EmfCollector) -> Starlette:
    """Return the application of the API's port."""

    async def keys(_request: Request) -> Response:
        return JSONResponse(jwks)

    app = Starlette(
        routes=[Route("/.well-known/jwks.json", keys), *docs_routes(), metrics_route(metrics)],
        middleware=[_cors()],
    )
    # No Mount("/"): its pattern does not match a path with a line break in it.
    app.router.default = http_api
    return app


def _cors() -> Middleware:
    allowed = cors()
    return Middleware(
        CORSMiddleware,
        allow_origins=allowed["AllowOrigins"],
        allow_methods=allowed["AllowMethods"],
        allow_headers=allowed["AllowHeaders"],
        max_age=allowed["MaxAge"],
    )


def metrics_route(metrics: EmfCollector) -> Route:
    """Return the route that Prometheus reads."""

    def scrape(_request: Request) -> Response:  # not async: it reads files
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})

    return Route("/metrics", scrape)
