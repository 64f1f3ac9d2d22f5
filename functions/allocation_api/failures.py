"""Which answer each exception becomes, whatever a route or the layer raises."""

from __future__ import annotations

from functools import singledispatch
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic.alias_generators import to_camel
from pymysql import MySQLError

from allocation_api.errors import CONTENT_TYPE, ApiError, invalid
from scheduler.allocation.device_picker import PoolContendedError
from scheduler.allocation.idempotency import KeyReusedError
from scheduler.database.errors import DatabaseUnavailableError, SnapshotMovedError, is_conflict
from scheduler.domain.refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

_CONFLICTS: Final = frozenset(
    {
        Refusal.NO_DEVICE_AVAILABLE,
        Refusal.NOT_ACTIVE,
        Refusal.DURATION_EXCEEDED,
        Refusal.DEVICE_RESERVED,
        Refusal.SLOT_TAKEN,
    }
)

MOST_PROBLEMS: Final = 200
"""Named in an answer, which would otherwise be twenty times as long as a hostile request."""

_logger: Final = Logger()


def answer_failures(app: APIGatewayHttpResolver) -> None:
    """Make the resolver answer exceptions; those of the server's side are logged."""

    def fail(error: Exception) -> Response[dict[str, Any]]:
        answer = answer_to(error)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _logger.error(answer.code, exc_info=error)
        return Response(answer.status, CONTENT_TYPE, answer.body, answer.headers)

    app.exception_handler(Exception)(fail)


@singledispatch
def answer_to(_: Exception) -> ApiError:
    """Return the answer an exception becomes; what nobody foresaw is a 500 that tells nothing."""
    message = "the request failed; the reason is logged"
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message)


@answer_to.register
def _(error: ApiError) -> ApiError:
    return error


@answer_to.register
def _(error: RefusedError) -> ApiError:
    status = HTTPStatus.CONFLICT if error.refusal in _CONFLICTS else HTTPStatus.FORBIDDEN
    return ApiError(status, error.refusal.value, str(error), dict(error.details))


@answer_to.register
def _(error: RequestValidationError) -> ApiError:
    return invalid(*_problems(error.errors()[:MOST_PROBLEMS]))


@answer_to.register
def _(error: KeyReusedError) -> ApiError:
    return invalid(("header.idempotency-key", str(error)))


@answer_to.register
def _(_: DatabaseUnavailableError) -> ApiError:
    return _later("database_unavailable", "the database is away; try again later")


@answer_to.register(PoolContendedError)
@answer_to.register(SnapshotMovedError)
def _busy(_: Exception) -> ApiError:
    return _later("busy", "others were faster, several times; try again")


@answer_to.register
def _(error: MySQLError) -> ApiError:
    return _busy(error) if is_conflict(error) else answer_to.dispatch(Exception)(error)


def _later(code: str, message: str) -> ApiError:
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, code, message, None, {"Retry-After": "1"})


def _problems(errors: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for problem in errors:
        place, *field = (str(part) for part in problem["loc"])
        # Only what stands in a path is named as in Python.
        names = [to_camel(part) for part in field] if place == "path" else field
        yield ".".join((place, *names)), problem["msg"].removeprefix("Value error, ")
