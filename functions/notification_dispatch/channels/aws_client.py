"""The boto3 clients of the senders, and their errors."""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from scheduler import aws_errors
from scheduler.outbox.retry_policy import ProviderError

if TYPE_CHECKING:
    from scheduler.aws_errors import ErrorClasses

CONNECT_TIMEOUT: Final = 2
READ_TIMEOUT: Final = 4
"""Seconds. A request that hangs occupies its thread for this long; its delivery is retried
later."""

BOTO_ERRORS: Final = (BotoCoreError, ClientError)

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
        client: Any = boto3.client(service, config=config, endpoint_url=endpoint)  # type: ignore[call-overload]  # only DynamoDB's types are installed
        return client


def to_provider_error(raised: Exception, service: ErrorClasses) -> ProviderError:
    """Return an exception of boto3 as the provider's error, classified and without addresses.

    Args:
        raised: one of `BOTO_ERRORS`.
        service: the error codes of the service that raised it.
    """
    text = f"{aws_errors.code_of(raised)}: {aws_errors.text_of(raised)}"
    # MariaDB rejects lone surrogates, and with them the whole batch of results.
    storable = text.encode(errors="replace").decode()
    error_class = aws_errors.classify(raised, service)
    return ProviderError(error_class, _ADDRESS.sub("…", storable)[:_MAX_TEXT])
