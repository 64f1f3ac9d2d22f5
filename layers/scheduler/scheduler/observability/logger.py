"""The logger of all functions: JSON lines with the version, safe to show on a terminal."""

from __future__ import annotations

from itertools import count
from typing import Final

from aws_lambda_powertools import Logger

from scheduler.json_text import safe_json
from scheduler.version import VERSION

_invocations: Final = count()


def service_logger() -> Logger:
    """Return the logger of this function; all callers share one handler and formatter."""
    return Logger(json_serializer=safe_json, version=VERSION)


def begin_invocation(context: object) -> None:
    """Put the request id of an invocation on its log lines, and whether it is a cold start.

    Args:
        context: of the Lambda invocation; without a request id, nothing is added.
    """
    request_id = getattr(context, "aws_request_id", None)
    if request_id:
        cold = next(_invocations) == 0
        service_logger().append_keys(function_request_id=request_id, cold_start=cold)
