"""The environment variables of the functions on this machine."""

from __future__ import annotations

import os
from typing import Final

from local.ports import HOST
from local.template import function_variable

SENDER: Final = "no-reply@cloudphone.example"
"""The sender of e-mails."""

_REGION: Final = "ap-southeast-1"
_FROM_TEMPLATE: Final = (
    "MAX_RETRIES",
    "MASS_FAILURE_SHARE",
    "MASS_FAILURE_DEVICES",
    "PAYMENT_FAILURES_TABLE",
    "BILLING_FAILURE_THRESHOLD",
    "PAYMENT_FAILURE_TTL_DAYS",
    "REALTIME_CONNECTIONS_TABLE",
    "REALTIME_TICKETS_TABLE",
    "DEFAULT_MAX_DEVICES",
    "DEFAULT_DURATION_MINUTES",
    "MAX_DURATION_MINUTES",
    "WAITING_MINUTES",
    "ALLOCATION_RETENTION_DAYS",
    "NOTIFICATION_RETENTION_DAYS",
    "OUTGOING_RETENTION_DAYS",
    "DISPATCH_THREADS",
    "MAX_EMAILS_PER_HOUR",
    "MAX_SMS_PER_HOUR",
    "ALLOCATION_STRATEGY",
    "CALLER_RATE_LIMIT",
    "CALLER_BURST_LIMIT",
    "HEALTH_RATE_LIMIT",
    "CREATIONS_PER_HOUR",
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_METRICS_NAMESPACE",
    "PYDANTIC_DISABLE_PLUGINS",
)


def aws_environment(aws_url: str) -> dict[str, str]:
    """Return the variables with which boto3 uses the embedded AWS only.

    moto accepts any credentials; setting them keeps boto3 from searching for real ones.
    """
    return {
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": _REGION,
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def function_environment(database_url: str, broker_url: str, aws_url: str) -> dict[str, str]:
    """Return the variables that all functions share.

    Settings that do not depend on this machine have their values from ``template.yaml``, unless the
    environment of this process has a variable of the same name.
    """
    return {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "EMAIL_FROM": SENDER,
        **{name: os.environ.get(name) or function_variable(name) for name in _FROM_TEMPLATE},
        **aws_environment(aws_url),
    }


def websocket_environment(websocket_port: int) -> dict[str, str]:
    """Return the variables with which functions reach the WebSocket API and invoke each other."""
    url = f"http://{HOST}:{websocket_port}"
    return {"WEBSOCKET_ENDPOINT": url, "AWS_ENDPOINT_URL_LAMBDA": url}
