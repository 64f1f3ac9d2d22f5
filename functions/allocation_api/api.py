"""The API put together: one resolver, one router per resource, one connection to the database."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from allocation_api.access import guard, is_open
from allocation_api.admission import json_object, readable
from allocation_api.allocations.batches import batch_routes
from allocation_api.allocations.routes import allocation_routes
from allocation_api.caller import caller_of
from allocation_api.devices.routes import device_routes
from allocation_api.errors import ApiError
from allocation_api.failures import answer_failures
from allocation_api.health.routes import health_routes
from allocation_api.history.routes import history_routes
from allocation_api.notifications.routes import notification_routes
from allocation_api.openapi.routes import openapi_routes
from allocation_api.preferences.routes import preference_routes
from allocation_api.realtime.routes import realtime_routes
from allocation_api.reservations.routes import reservation_routes
from allocation_api.users.routes import user_routes
from allocation_api.waiting.desk import Desk
from allocation_api.waiting.routes import waiting_routes
from scheduler.allocation.allocate import Allocator
from scheduler.allocation.leases import Leases
from scheduler.allocation.reservation_book import ReservationBook
from scheduler.allocation.waiting_line import WaitingLine
from scheduler.database.connection import Database
from scheduler.domain.model import Quota
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.publisher import Publisher
from scheduler.unit_of_work import UnitsOfWork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allocation_api.caller import Caller
    from allocation_api.settings import ApiSettings

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: it is data, somebody's own, and nothing to be shown as a page."""

_NUDGE_SECONDS: Final = 1.0
"""A caller does not wait longer for a broker that is away."""

_logger: Final = Logger()


class AllocationApi:
    """Everything one execution environment holds. Powertools serves one request at a time."""

    def __init__(self, settings: ApiSettings) -> None:
        database = Database(settings)
        nudge = Nudge(Publisher(settings, _NUDGE_SECONDS)).send
        units = UnitsOfWork(database, Quota(settings.default_max_devices), nudge)
        allocator = Allocator(units, settings.allocation_strategy)
        leases = Leases(units, settings.max_duration_minutes)
        line = WaitingLine(units, settings)
        minutes = settings.default_duration_minutes
        self.resolver = APIGatewayHttpResolver(
            enable_validation=True,
            response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
            json_body_deserializer=json_object,
        )
        self.resolver.use([guard])
        answer_failures(self.resolver)
        for router in (
            allocation_routes(database, Desk(database, allocator, line), leases, minutes),
            waiting_routes(database, line),
            reservation_routes(database, ReservationBook(units), minutes),
            batch_routes(database, allocator, leases, minutes),
            history_routes(database),
            device_routes(database),
            user_routes(database, settings, units),
            notification_routes(database),
            preference_routes(database),
            realtime_routes(settings),
            health_routes(settings),
            openapi_routes(),
        ):
            self.resolver.include_router(router)

    def handle(self, event: Mapping[str, Any], context: object) -> dict[str, Any]:
        """Answer a request and log it in one line."""
        started = time.perf_counter()
        http = event["requestContext"]["http"]
        caller: Caller | None = None
        try:
            if not is_open(http["method"], event["rawPath"]):
                caller = caller_of(event)
            self.resolver.context["caller"] = caller
            answer = self.resolver.resolve(readable(event), context)  # type: ignore[arg-type]
        except ApiError as error:
            answer = error.gateway_response
        answer["headers"].update(HEADERS)
        _logger.info(
            "Answered a request",
            extra={
                "method": http["method"],
                "path": event["rawPath"],
                "status": answer["statusCode"],
                "correlation_id": event["requestContext"].get("requestId"),
                "caller": caller.user_id if caller else None,
                "seconds": round(time.perf_counter() - started, 4),
            },
        )
        return answer
