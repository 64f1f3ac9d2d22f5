"""The boto3 clients of the senders, and how their errors are classified."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock
from typing import Any, Final, TypeAlias

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from scheduler.outbox.retry_policy import ErrorClass, ProviderError

CONNECT_TIMEOUT: Final = 2
READ_TIMEOUT: Final = 4
"""Seconds. A request that hangs occupies its thread for so long; its delivery is retried later."""

BOTO_ERRORS: Final = (BotoCoreError, ClientError)

ErrorClasses: TypeAlias = Mapping[str, ErrorClass]
"""By error code, as listed in the service's API reference."""

# If our account or its permissions are at fault, the message can wait until that is fixed.
# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
_COMMON: Final[ErrorClasses] = {
    "AccessDenied": ErrorClass.TRANSIENT,
    "AccessDeniedException": ErrorClass.TRANSIENT,
    "ExpiredToken": ErrorClass.TRANSIENT,
    "ExpiredTokenException": ErrorClass.TRANSIENT,
    "IncompleteSignature": ErrorClass.TRANSIENT,
    "InvalidClientTokenId": ErrorClass.TRANSIENT,
    "InvalidSignatureException": ErrorClass.TRANSIENT,
    "RequestExpired": ErrorClass.TRANSIENT,
    "SignatureDoesNotMatch": ErrorClass.TRANSIENT,
    "UnrecognizedClientException": ErrorClass.TRANSIENT,
    "RequestLimitExceeded": ErrorClass.THROTTLED,
    "Throttling": ErrorClass.THROTTLED,
    "ThrottlingException": ErrorClass.THROTTLED,
    "TooManyRequestsException": ErrorClass.THROTTLED,
}
_BY_STATUS: Final[Mapping[int, ErrorClass]] = {
    HTTPStatus.FORBIDDEN: ErrorClass.TRANSIENT,
    HTTPStatus.REQUEST_TIMEOUT: ErrorClass.TRANSIENT,
    HTTPStatus.TOO_MANY_REQUESTS: ErrorClass.THROTTLED,
}
_ADDRESS: Final = re.compile(r"[^\s<>\"':,;]+@[^\s<>\"':,;]+|\+?\d{7,}")
_MAX_TEXT: Final = 500

_client_lock: Final = Lock()


def make_client(service: str, threads: int, endpoint: str | None = None) -> Any:  # noqa: ANN401 - no types
    """Return a client for several threads, with short timeouts and without retries."""
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        # Deliveries are retried by outbox/retry_policy.py: recorded, later, by any process.
        retries={"total_max_attempts": 1},
        max_pool_connections=threads,
        # These two save a fifth of the CPU time of a call, for which botocore would compose a user
        # agent and validate the parameters.
        user_agent="cloudphone-scheduler",
        parameter_validation=False,
    )
    with _client_lock:  # boto3's default session is not thread-safe
        client: Any = boto3.client(service, config=config, endpoint_url=endpoint)  # type: ignore[call-overload]
        return client


def to_provider_error(raised: Exception, error_classes: ErrorClasses) -> ProviderError:
    """Classify an exception of boto3.

    Args:
        raised: one of `BOTO_ERRORS`.
        error_classes: those of the service's own error codes.
    """
    if isinstance(raised, ClientError):
        code = raised.response["Error"].get("Code", "")
        status = raised.response["ResponseMetadata"]["HTTPStatusCode"]
        error_class = error_classes.get(code) or _COMMON.get(code) or _by_status(status)
        text = f"{code}: {raised.response['Error'].get('Message', '')}"
    else:
        error_class = ErrorClass.TRANSIENT
        text = f"{type(raised).__name__}: {raised}"
    # MariaDB rejects lone surrogates, and with them the whole batch of results.
    storable = text.encode(errors="replace").decode()
    return ProviderError(error_class, _ADDRESS.sub("…", storable)[:_MAX_TEXT])


def _by_status(status: int) -> ErrorClass:
    if known := _BY_STATUS.get(status):
        return known
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return ErrorClass.PERMANENT if refused else ErrorClass.TRANSIENT
