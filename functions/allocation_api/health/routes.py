"""The route of the health check."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aws_lambda_powertools.event_handler import Response

from allocation_api.errors import CONTENT_TYPE
from allocation_api.health.checks import broker_check, database_check, dynamodb_check
from allocation_api.health.models import HealthReport
from allocation_api.health.probe import OK, probe
from allocation_api.routing import Router
from allocation_api.settings import ApiSettings

_SECONDS: Final = 2.5
KEPT: Final = 1.0
"""Seconds a report is shown again: who has no token must not make us log in without end."""


def health_routes(settings: ApiSettings, clock: Callable[[], float] = time.monotonic) -> Router:
    """Return the route, which needs no token and tells no addresses."""
    router = Router()
    results: dict[str, str] = {}
    probed_at = 0.0

    @router.get("/api/health")
    def health() -> Response[HealthReport]:
        nonlocal results, probed_at
        if not results or clock() - probed_at >= KEPT:
            checks = {
                "database": database_check(settings),
                "broker": broker_check(settings),
                "dynamodb": dynamodb_check(settings),
            }
            results = probe(checks, _SECONDS)
            probed_at = clock()
        healthy = all(result == OK for result in results.values())
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(status, CONTENT_TYPE, HealthReport(**results))

    return router
