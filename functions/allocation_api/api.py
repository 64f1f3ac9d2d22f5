"""The composition of the API: one resolver, a router per resource, one database connection."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import (
    OpenAPIRequestValidationMiddleware,
)

from allocation_api.access import AccessGuard
from allocation_api.caller import AdminClaim, caller_of
from allocation_api.errors import ApiError, handle_exceptions
from allocation_api.known_users import KnownUsers
from allocation_api.language import requested_language
from allocation_api.limits import CreationLimits, RequestLimits, shared_buckets
from allocation_api.requests import parse_json_object, read_body, routable, skip
from allocation_api.resources.allocation_batches import allocation_batch_routes
from allocation_api.resources.allocations import AllocateOrWait, allocation_routes
from allocation_api.resources.device_allocations import device_allocation_routes
from allocation_api.resources.devices import device_routes
from allocation_api.resources.health import health_routes
from allocation_api.resources.history import history_routes
from allocation_api.resources.notifications import notification_routes
from allocation_api.resources.openapi import openapi_routes
from allocation_api.resources.preferences import preference_routes
from allocation_api.resources.reservations import reservation_routes
from allocation_api.resources.tickets import ticket_routes
from allocation_api.resources.timelines import timeline_routes
from allocation_api.resources.users import user_routes
from allocation_api.resources.waiting import waiting_routes
from allocation_api.token_buckets import TokenBuckets
from scheduler.allocation.allocate import Allocator
from scheduler.allocation.leases import Leases
from scheduler.allocation.reservation_book import ReservationBook
from scheduler.allocation.waiting_line import WaitingLine
from scheduler.database.connection import Database
from scheduler.domain.model import Quota
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.publisher import Publisher
from scheduler.observability.emf import Metrics
from scheduler.observability.logger import service_logger
from scheduler.unit_of_work import UnitsOfWork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allocation_api.access import Access
    from allocation_api.caller import Caller
    from allocation_api.settings import ApiSettings

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}
"""Of every response: it is personal data, and not a page."""

_logger: Final = service_logger()


class AllocationApi:
    """The API of one execution environment. Powertools serves one request at a time."""

    def __init__(self, settings: ApiSettings) -> None:
        self._admin = AdminClaim(settings.admin_claim, settings.admin_value)
        database = Database(settings)
        buckets = TokenBuckets(shared_buckets(database))
        self._limits = RequestLimits(settings, buckets)
        known = KnownUsers(database)
        creations = CreationLimits(settings, buckets, known.is_known)
        nudge = Nudge(Publisher(settings)).send
        units = UnitsOfWork(database, Quota(settings.default_max_devices), nudge)
        allocator = Allocator(units, settings.allocation_strategy)
        leases = Leases(units, settings.max_duration_minutes)
        line = WaitingLine(units, settings)
        minutes = settings.default_duration_minutes
        allocate_or_wait = AllocateOrWait(database, allocator, line)
        routers = (
            allocation_routes(database, allocate_or_wait, leases, creations, minutes),
            history_routes(database),
            waiting_routes(database, line),
            allocation_batch_routes(database, allocator, leases, self._limits, creations, minutes),
            reservation_routes(database, ReservationBook(units), creations, minutes),
            device_routes(database, units),
            user_routes(database, settings, units),
            device_allocation_routes(database),
            timeline_routes(database),
            notification_routes(database),
            preference_routes(database),
            ticket_routes(settings, self._limits),
            health_routes(settings),
            openapi_routes(),
        )
        self.rules: Final[dict[tuple[str, str], Access]] = {}
        """The access rule of each route, by method and path."""
        self.resolver = APIGatewayHttpResolver(
            enable_validation=True,
            response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
            json_body_deserializer=parse_json_object,
        )
        self._guard = AccessGuard(self.rules, known.refuse_deleted)
        # Powertools would validate before all middlewares, so before access is checked.
        self.resolver._request_validation_middleware = skip  # type: ignore[assignment]  # noqa: SLF001 - no public way
        validate = OpenAPIRequestValidationMiddleware()  # type: ignore[no-untyped-call]  # not annotated
        guard = self._guard
        self.resolver.use([guard.check, read_body, validate, guard.check_deleted])
        handle_exceptions(self.resolver)
        for router in routers:
            self.resolver.include_router(router)
            self.rules.update(router.rules)

    def handle(self, event: Mapping[str, Any], context: object) -> dict[str, Any]:
        """Return the response to a request, and log one line; its errors are further lines."""
        with _logger.append_context_keys(correlation_id=event["requestContext"].get("requestId")):
            return self._answer(event, context)

    def _answer(self, event: Mapping[str, Any], context: object) -> dict[str, Any]:
        started = time.perf_counter()
        http = event["requestContext"]["http"]
        caller: Caller | None = None
        try:
            if not self._guard.is_open(http["method"], event["rawPath"]):
                caller = caller_of(event, self._admin)
            self._limits.admit(http, caller)
            self.resolver.context["caller"] = caller
            self.resolver.context["language"] = requested_language(event.get("headers") or {})
            response = self.resolver.resolve(routable(event), context)  # type: ignore[arg-type]  # no route uses it
        except ApiError as error:
            response = error.gateway_response
        response["headers"].update(SECURITY_HEADERS)
        if response["statusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _count_error()
        _logger.info(
            "Answered a request",
            extra={
                "method": http["method"],
                "path": event["rawPath"],
                "status": response["statusCode"],
                "caller": caller.user_id if caller else None,
                "seconds": round(time.perf_counter() - started, 4),
            },
        )
        return response


def _count_error() -> None:
    """Count an error response by function version; a gradual deployment watches this metric."""
    metrics = Metrics()
    version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    metrics.add("scheduler_api_errors_total", 1, function_version=version)
    metrics.flush(datetime.now(UTC))
