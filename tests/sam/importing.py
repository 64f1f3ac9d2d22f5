"""Runs Python as a built function does when it starts."""

from __future__ import annotations

import os
import subprocess

from local.template import function_variable
from tests.sam.built import PYTHON, import_path

VARIABLES = {
    "ALLOCATION_STRATEGY": "random",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "BROKER_URL": "amqp://127.0.0.1:1/cloudphone",
    "DATABASE_URL": "mysql://scheduler@127.0.0.1:1/cloudphone",
    "EMAIL_FROM": "no-reply@example.com",
    "PAYMENT_FAILURES_TABLE": "payment-failures",
    "PYDANTIC_DISABLE_PLUGINS": function_variable("PYDANTIC_DISABLE_PLUGINS"),
    "REALTIME_CONNECTIONS_TABLE": "realtime-connections",
    "REALTIME_TICKETS_TABLE": "realtime-tickets",
    "WEBSOCKET_ENDPOINT": "https://abc.execute-api.us-east-1.amazonaws.com/live",
}


def run(function: str, statement: str) -> str:
    """Run a statement as the function would, and return what it prints."""
    done = subprocess.run(
        [PYTHON, "-c", statement],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**VARIABLES, "PATH": os.environ["PATH"], "PYTHONPATH": import_path(function)},
    )
    return done.stdout
