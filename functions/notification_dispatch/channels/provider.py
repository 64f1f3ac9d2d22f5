"""What AWS answers, put into the terms of a delivery, and the clients that ask it."""

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
"""Seconds. A provider that hangs is asked again later; until then others wait for the thread."""

BOTO_ERRORS: Final = (BotoCoreError, ClientError)

ErrorClasses: TypeAlias = Mapping[str, ErrorClass]
"""By error code, as in the service's API reference."""

# Where our account or its permissions are at fault the message can wait until that is mended.
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

_making_client: Final = Lock()


def client(service: str, threads: int, endpoint: str | None = None) -> Any:  # noqa: ANN401 - no types
    """Return a client for use by several threads: short timeouts, no retries of its own."""
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        # Retries are ours: they are recorded, wait longer and outlive this process.
        retries={"total_max_attempts": 1},
        max_pool_connections=threads,
        # A fifth of what a call costs: botocore writes a long name anew for each, and checks the
        # types of what our own code passes.
        user_agent="cloudphone-scheduler",
        parameter_validation=False,
    )
    with _making_client:  # boto3's default session is not made for several threads
        made: Any = boto3.client(service, config=config, endpoint_url=endpoint)  # type: ignore[call-overload]
        return made


def provider_error(raised: Exception, troubles: ErrorClasses) -> ProviderError:
    """Return what an exception of boto3 means, given the service's own error codes."""
    if isinstance(raised, ClientError):
        code = raised.response["Error"].get("Code", "")
        status = raised.response["ResponseMetadata"]["HTTPStatusCode"]
        trouble = troubles.get(code) or _COMMON.get(code) or _by_status(status)
        text = f"{code}: {raised.response['Error'].get('Message', '')}"
    else:
        trouble = ErrorClass.TRANSIENT
        text = f"{type(raised).__name__}: {raised}"
    # Half a surrogate pair would keep the results of a hundred deliveries from being recorded.
    storable = text.encode(errors="replace").decode()
    return ProviderError(trouble, _ADDRESS.sub("…", storable)[:_MAX_TEXT])


def _by_status(status: int) -> ErrorClass:
    if known := _BY_STATUS.get(status):
        return known
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return ErrorClass.PERMANENT if refused else ErrorClass.TRANSIENT
