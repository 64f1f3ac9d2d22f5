"""Health of the services that the platform depends on."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from http import HTTPStatus
from typing import Final

from aws_lambda_powertools.event_handler import Response

from allocation_api.access import Access, Router
from allocation_api.errors import CONTENT_TYPE
from allocation_api.fields import ResponseBody
from allocation_api.openapi.responses import body_of
from allocation_api.settings import AWS_TIMEOUTS, ApiSettings
from scheduler.database.connection import connect
from scheduler.messaging.publisher import parameters
from scheduler.observability.logger import service_logger
from scheduler.parallel import NoAnswerError, ask_all
from scheduler.settings import BrokerSettings, DatabaseSettings, PaymentSettings
from scheduler.version import VERSION

OK: Final = "ok"
REPORT_SECONDS: Final = 5.0
"""How long an environment returns the same report, so that many requests do not cause many
logins."""

_CHECK_TIMEOUT_SECONDS: Final = 2.5
_BROKER_TIMEOUT_SECONDS: Final = 2

_logger: Final = service_logger()


class HealthReport(ResponseBody):
    """The result for each dependency, ``ok`` or the problem, and the version of the API."""

    database: str
    broker: str
    dynamodb: str
    version: str


def health_routes(settings: ApiSettings, clock: Callable[[], float] = time.monotonic) -> Router:
    """Return the route, which needs no token and reveals no addresses."""
    router = Router()
    results: dict[str, str] = {}
    checked_at = 0.0

    @router.get(
        "/api/health",
        operation_id="checkHealth",
        summary="Check database, broker and DynamoDB",
        responses={200: body_of(HealthReport), 503: body_of(HealthReport)},
    )
    @router.allow(Access.ANYONE)
    def health() -> Response[HealthReport]:
        nonlocal results, checked_at
        if not results or clock() - checked_at >= REPORT_SECONDS:
            checks = {
                "database": database_check(settings),
                "broker": broker_check(settings),
                "dynamodb": dynamodb_check(settings),
            }
            results = run_checks(checks, _CHECK_TIMEOUT_SECONDS)
            checked_at = clock()
        healthy = all(result == OK for result in results.values())
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(status, CONTENT_TYPE, HealthReport(**results, version=VERSION))

    return router


def run_checks(checks: Mapping[str, Callable[[], None]], seconds: float) -> dict[str, str]:
    """Run checks in parallel; return ``ok`` or the problem for each, after ``seconds`` at most.

    The problem is only the class of an error: addresses and accounts are logged.
    """
    answers = ask_all(checks, seconds)
    return {name: _result(name, answer) for name, answer in answers.items()}


def _result(name: str, answer: Exception | None) -> str:
    if answer is None:
        return OK
    if isinstance(answer, NoAnswerError):
        return str(answer)
    _logger.error("health check failed", exc_info=answer, extra={"dependency": name})
    return f"unavailable ({type(answer).__name__})"


def database_check(settings: DatabaseSettings) -> Callable[[], None]:
    """Return a check that connects to the database and runs a query."""

    def check() -> None:
        with closing(connect(settings)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    return check


def broker_check(settings: BrokerSettings) -> Callable[[], None]:
    """Return a check that connects to the broker and opens the vhost."""
    from pika import BlockingConnection  # noqa: PLC0415 - 100 ms that only this route needs

    def check() -> None:
        BlockingConnection(parameters(settings, _BROKER_TIMEOUT_SECONDS)).close()

    return check


def dynamodb_check(settings: PaymentSettings) -> Callable[[], None]:
    """Return a check that reads from the table of payment failures, as the IAM policy allows."""
    import boto3  # noqa: PLC0415 - 300 ms that only this route needs
    from botocore.config import Config  # noqa: PLC0415 - as above

    client = boto3.client("dynamodb", config=Config(**AWS_TIMEOUTS))

    def check() -> None:
        key = {"user_id": {"S": "health check"}}
        client.get_item(TableName=settings.payment_failures_table, Key=key)

    return check
