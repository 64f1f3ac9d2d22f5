"""Classifies the errors of AWS. The only place that knows the error codes of its services.

An error is permanent only if it is listed: a code that AWS introduces tomorrow, a sandbox or a
missing permission must not lose a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final, TypeAlias


class ErrorClass(Enum):
    """What an error says about the next attempt."""

    PERMANENT = auto()
    """The service will never accept this request."""
    TRANSIENT = auto()
    """The service is unavailable, or our account, its permissions or its settings are at fault."""
    UNREACHABLE = auto()
    """There was no connection to the service; the request was not sent."""
    UNCERTAIN = auto()
    """There was no response: the service may have accepted the request."""
    RECIPIENT_BUSY = auto()
    """This recipient cannot take it now; others can."""
    THROTTLED = auto()
    """The request rate is too high. The request was not processed, so no attempt is counted."""


ErrorClasses: TypeAlias = Mapping[str, ErrorClass]
"""By error code; that of an error without response is the name of botocore's exception."""

DYNAMODB: Final[ErrorClasses] = {
    "ValidationException": ErrorClass.PERMANENT,
    # Not about the rate, but about another request for the same item; it can be repeated at once.
    "TransactionConflictException": ErrorClass.THROTTLED,
}
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html"""

SES: Final[ErrorClasses] = {
    "BadRequestException": ErrorClass.PERMANENT,
    "LimitExceededException": ErrorClass.THROTTLED,
}
"""https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""

SNS: Final[ErrorClasses] = {
    "InvalidParameter": ErrorClass.PERMANENT,
    "ParameterValueInvalid": ErrorClass.PERMANENT,
    "ValidationException": ErrorClass.PERMANENT,
    "Throttled": ErrorClass.THROTTLED,
}
"""https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

API_GATEWAY: Final[ErrorClasses] = {
    "PayloadTooLargeException": ErrorClass.PERMANENT,
    # Also caused by a client that does not read, so that its buffer is full; other clients can
    # still be sent to.
    "LimitExceededException": ErrorClass.RECIPIENT_BUSY,
    # A client recognises a frame that it receives twice.
    "ReadTimeoutError": ErrorClass.TRANSIENT,
    "ConnectionClosedError": ErrorClass.TRANSIENT,
}
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html"""

# The throttling codes are those of botocore.retries.standard.ThrottledRetryableChecker.
_COMMON: Final[ErrorClasses] = {
    "BandwidthLimitExceeded": ErrorClass.THROTTLED,
    "PriorRequestNotComplete": ErrorClass.THROTTLED,
    "ProvisionedThroughputExceededException": ErrorClass.THROTTLED,
    "RequestLimitExceeded": ErrorClass.THROTTLED,
    "RequestThrottled": ErrorClass.THROTTLED,
    "RequestThrottledException": ErrorClass.THROTTLED,
    "SlowDown": ErrorClass.THROTTLED,
    "ThrottledException": ErrorClass.THROTTLED,
    "Throttling": ErrorClass.THROTTLED,
    "ThrottlingException": ErrorClass.THROTTLED,
    "TooManyRequestsException": ErrorClass.THROTTLED,
    "TransactionInProgressException": ErrorClass.THROTTLED,
    "ConnectTimeoutError": ErrorClass.UNREACHABLE,
    "EndpointConnectionError": ErrorClass.UNREACHABLE,
    "ProxyConnectionError": ErrorClass.UNREACHABLE,
    "SSLError": ErrorClass.UNREACHABLE,
    "ReadTimeoutError": ErrorClass.UNCERTAIN,
    "ConnectionClosedError": ErrorClass.UNCERTAIN,
}

# SES uses one code for problems of the message and for problems of the account, such as the sandbox
# or an unverified sender.
# https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
_PERMANENT_TEXTS: Final = {
    "MessageRejected": re.compile(
        r"virus|blacklisted|suppression list|invalid content", re.IGNORECASE
    )
}


def classify(error: Exception, service: ErrorClasses) -> ErrorClass:
    """Return the class of an exception of boto3.

    Args:
        error: ``ClientError`` or ``BotoCoreError``.
        service: the codes of the service that raised it, such as `DYNAMODB`.
    """
    code = code_of(error)
    if (texts := _PERMANENT_TEXTS.get(code)) and texts.search(text_of(error)):
        return ErrorClass.PERMANENT
    known = service.get(code) or _COMMON.get(code)
    throttled = _status(error) == HTTPStatus.TOO_MANY_REQUESTS
    return known or (ErrorClass.THROTTLED if throttled else ErrorClass.TRANSIENT)


def code_of(error: Exception) -> str:
    """Return the service's error code; the name of the exception if there was no response."""
    return str(_response(error).get("Error", {}).get("Code") or type(error).__name__)


def text_of(error: Exception) -> str:
    """Return the service's message; it may contain addresses."""
    response = _response(error)
    return str(response["Error"].get("Message", "") if "Error" in response else error)


def _status(error: Exception) -> int | None:
    status: int | None = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _response(error: Exception) -> Mapping[str, Any]:
    # Only ClientError has a response. botocore is not imported: it takes 100 ms of a cold start.
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return response
