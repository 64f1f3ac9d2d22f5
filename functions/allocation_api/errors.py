"""Error responses: ``{"error": {"code", "message", "details"?}}``, and their exceptions."""

from __future__ import annotations

import json
from functools import singledispatch
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic.alias_generators import to_camel
from pymysql import MySQLError

from scheduler.allocation.device_picker import PoolContendedError
from scheduler.allocation.idempotency import KeyReusedError
from scheduler.database.errors import DatabaseUnavailableError, StaleSnapshotError, is_conflict
from scheduler.domain.refusal import Refusal, RefusedError
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

CONTENT_TYPE: Final = "application/json"

MAX_REPORTED_PROBLEMS: Final = 200
"""Without a limit, a malicious request could cause a response twenty times its own size."""

_CONFLICTS: Final = frozenset(
    {
        Refusal.NO_DEVICE_AVAILABLE,
        Refusal.NOT_ACTIVE,
        Refusal.DURATION_EXCEEDED,
        Refusal.DEVICE_RESERVED,
        Refusal.SLOT_TAKEN,
    }
)
"""Refusals that concern an allocation or the pool (409); the others concern the user (403)."""

_logger: Final = service_logger()


class ApiError(Exception):
    """An error response; ``code`` is for programs, ``message`` for people."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        details: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": error}

    @property
    def gateway_response(self) -> dict[str, Any]:
        """Return the response in the HTTP API's payload format 2.0."""
        return {
            "statusCode": self.status.value,
            "headers": {"Content-Type": CONTENT_TYPE, **self.headers},
            "cookies": [],
            "body": json.dumps(self.body, ensure_ascii=False),
            "isBase64Encoded": False,
        }


def unauthorized() -> ApiError:
    """Return the response to a request without a valid token."""
    challenge = {"WWW-Authenticate": "Bearer"}
    return ApiError(
        HTTPStatus.UNAUTHORIZED, "unauthorized", "a valid access token is required", None, challenge
    )


def forbidden(message: str = "only the owner or an administrator may do this") -> ApiError:
    """Return the response to a caller who lacks permission."""
    return ApiError(HTTPStatus.FORBIDDEN, "forbidden", message)


def not_found(what: str) -> ApiError:
    """Return the response if something does not exist, e.g. ``no such device``."""
    return ApiError(HTTPStatus.NOT_FOUND, "not_found", f"no such {what}")


def invalid(*problems: tuple[str, str]) -> ApiError:
    """Return the response to a malformed request.

    Args:
        *problems: pairs of the field, e.g. ``body.userId``, and what is wrong with it.
    """
    details = [{"field": field, "message": message} for field, message in problems]
    text = "; ".join(f"{field}: {message}" for field, message in problems)
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", text, details)


def unavailable(code: str, message: str) -> ApiError:
    """Return the response that asks the caller to try again."""
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, code, message, None, {"Retry-After": "1"})


def handle_exceptions(app: APIGatewayHttpResolver) -> None:
    """Make the resolver turn exceptions into responses; those with a 5xx status are logged."""

    def respond(error: Exception) -> Response[dict[str, Any]]:
        response = to_api_error(error)
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _logger.error(response.code, exc_info=error)
        return Response(response.status, CONTENT_TYPE, response.body, response.headers)

    app.exception_handler(Exception)(respond)


@singledispatch
def to_api_error(_: Exception) -> ApiError:
    """Return the response for an exception; an unexpected one is a 500 that reveals nothing."""
    message = "the request failed; the reason is logged"
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message)


@to_api_error.register
def _(error: ApiError) -> ApiError:
    return error


@to_api_error.register
def _(error: RefusedError) -> ApiError:
    status = HTTPStatus.CONFLICT if error.refusal in _CONFLICTS else HTTPStatus.FORBIDDEN
    return ApiError(status, error.refusal.value, str(error), dict(error.details))


@to_api_error.register
def _(error: RequestValidationError) -> ApiError:
    return invalid(*_problems(error.errors()[:MAX_REPORTED_PROBLEMS]))


@to_api_error.register
def _(error: KeyReusedError) -> ApiError:
    return invalid(("header.idempotency-key", str(error)))


@to_api_error.register
def _(_: DatabaseUnavailableError) -> ApiError:
    return unavailable("database_unavailable", "the database is unavailable; try again later")


@to_api_error.register(PoolContendedError)
@to_api_error.register(StaleSnapshotError)
def _busy(_: Exception) -> ApiError:
    return unavailable("busy", "conflicting changes; try again")


@to_api_error.register
def _(error: MySQLError) -> ApiError:
    return _busy(error) if is_conflict(error) else to_api_error.dispatch(Exception)(error)


def _problems(errors: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for problem in errors:
        place, *field = (str(part) for part in problem["loc"])
        # Path parameters are named as in Python; all other fields as on the wire.
        names = [to_camel(part) for part in field] if place == "path" else field
        yield ".".join((place, *names)), problem["msg"].removeprefix("Value error, ")
