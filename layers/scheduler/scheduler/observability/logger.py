"""The logger of all functions: JSON lines with the version, safe to show on a terminal."""

from __future__ import annotations

from aws_lambda_powertools import Logger

from scheduler.observability.safe_json import safe_json
from scheduler.version import VERSION


def service_logger() -> Logger:
    """Return the logger of this function; all callers share one handler and formatter."""
    return Logger(json_serializer=safe_json, version=VERSION)
