"""Lambda handler of the operations, behind a function URL with IAM authentication.

Lambda verifies the signature and passes the caller's ARN; a request without it is refused here as
well. docs/operations-interface.md describes requests and answers.
"""

from __future__ import annotations

import base64
import json
import time
from contextlib import nullcontext
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from operations import catalogue
from operations.audit import recorded
from operations.context import AWS_TIMEOUTS, CALL_SECONDS, OperationContext
from operations.errors import ExitCode, InvalidInputError, OpsError
from operations.json_data import read_object
from operations.scheduled import SCHEDULED, run_canary
from operations.settings import OperationsSettings
from scheduler.credentials import CredentialsUnavailableError
from scheduler.deadline import Deadline
from scheduler.messaging.publisher import parameters
from scheduler.observability.logger import service_logger
from scheduler.payments.counter import payment_failures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from scheduler.payments.counter import PaymentFailures

_MAX_ANSWER_BYTES: Final = 6_000_000
_WITH_RATES: Final = frozenset(("queues", "overview"))

_settings: Final = OperationsSettings.from_environment()
_logger: Final = service_logger()


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run the operation of a request, and answer with its result or the error."""
    if event == SCHEDULED:
        last_moment = Deadline.of(context)
        return run_canary(_context(last_moment, last_moment))
    caller = _caller(event)
    if not caller:
        return _answer(HTTPStatus.FORBIDDEN, {"error": "the request is not signed"})
    try:
        name, arguments = _request(event)
        result = _run(name, arguments, caller, Deadline.of(context))
    except OpsError as error:
        bad = error.code is ExitCode.USAGE
        answer = {
            "error": str(error),
            "code": error.code,
            "tellsProgress": error.tells_progress,
        }
        return _answer(HTTPStatus.BAD_REQUEST if bad else HTTPStatus.CONFLICT, answer)
    return _answer(HTTPStatus.OK, {"result": result})


def _run(
    name: str, arguments: Mapping[str, Any], caller: str, last_moment: Deadline
) -> dict[str, Any]:
    operation = catalogue.operation(name)
    about = {"operation": name, "caller": caller, "changes": operation.changes}
    _logger.info("Operation", extra=about)
    given = catalogue.validated(name, arguments)
    deadline = Deadline(min(time.monotonic() + CALL_SECONDS, last_moment.at))
    management = _management_url() if name in _WITH_RATES else None
    context = _context(deadline, last_moment, management, caller)
    with recorded(context, caller, name, given) if operation.changes else nullcontext():
        return operation.run(context, given)


def _context(
    deadline: Deadline,
    last_moment: Deadline,
    management_url: str | None = None,
    caller: str = "",
) -> OperationContext:
    return OperationContext(
        broker_url=_settings.broker_url.get_secret_value,
        database_url=_settings.database_url.get_secret_value,
        shards=_settings.shards,
        management_url=management_url,
        payments=_payments,
        default_max_devices=_settings.default_max_devices,
        caller=caller,
        deadline=deadline,
        last_moment=last_moment,
    )


@cache
def _payments() -> PaymentFailures:
    return payment_failures(_settings, AWS_TIMEOUTS)


def _management_url() -> str | None:
    """Return the URL of RabbitMQ's HTTP API with the account of the function."""
    if _settings.broker_management_url is None:
        return None
    try:
        account = parameters(_settings).credentials
    except CredentialsUnavailableError:
        return None
    url = urlsplit(_settings.broker_management_url)
    login = f"{quote(account.username, safe='')}:{quote(account.password, safe='')}"
    return url._replace(netloc=f"{login}@{url.netloc.rpartition('@')[2]}").geturl()


def _caller(event: Mapping[str, Any]) -> str:
    """Return the ARN of the identity whose signature Lambda has verified; empty if none."""
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    return str((authorizer.get("iam") or {}).get("userArn") or "")


def _request(event: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the operation and its arguments.

    Raises:
        InvalidInputError: the body does not have this form.
    """
    body = event.get("body") or ""
    try:
        raw = base64.b64decode(body) if event.get("isBase64Encoded") else body
    except ValueError as error:
        raise InvalidInputError(f"the body is not base64: {error}") from None
    request = read_object(raw)
    name, arguments = request.get("operation"), request.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise InvalidInputError('the body must be {"operation": "…", "arguments": {…}}')
    return name, arguments


def _answer(status: HTTPStatus, content: Mapping[str, Any]) -> dict[str, Any]:
    body = json.dumps(content)
    if len(body) > _MAX_ANSWER_BYTES:
        status = HTTPStatus.CONFLICT
        body = json.dumps({"error": "the result is too long; ask for less", "code": 1})
    return {
        "statusCode": int(status),
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "body": body,
    }
