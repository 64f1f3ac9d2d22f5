import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from local.paths import ROOT
from tests.template.stack import Stack

PROBE = ROOT / "tests" / "template" / "settings_read.py"
OF_LIBRARIES = ("POWERTOOLS_", "PYDANTIC_")
POWERTOOLS = {
    "POWERTOOLS_LOG_LEVEL": {"Ref": "LogLevel"},
    "POWERTOOLS_METRICS_NAMESPACE": {"Ref": "MetricsNamespace"},
}
# Values that CloudFormation computes from the expressions in the template.
VALUES = {
    "ADMIN_CLAIM": "cognito:groups",
    "ADMIN_VALUE": "cloudphone:admin",
    "ALLOCATION_RETENTION_DAYS": "180",
    "APPLICATION_SECRET_ARN": "",
    "APPLICATION_USER": "scheduler",
    "ALLOCATION_STRATEGY": "resource_based",
    "ALLOW_UNKNOWN_USERS": "false",
    "BILLING_FAILURE_THRESHOLD": "3",
    "BROKER_MANAGEMENT_URL": "https://broker.example.com",
    "BROKER_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:broker-a1b2c3",
    "BROKER_URL": "amqps://broker.example.com:5671/cloudphone",
    "CALLER_BURST_LIMIT": "100",
    "CALLER_RATE_LIMIT": "10",
    "CREATIONS_PER_HOUR": "300",
    "CONSUMER_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:consumer-a1b2c3",
    "PUBLISHER_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:publisher-a1b2c3",
    "DATABASE_AUTH": "iam",
    "DATABASE_CA_FILE": "/opt/python/rds-ca.pem",
    "DATABASE_SECRET_ARN": "",
    "DATABASE_URL": "mysql://scheduler@database.example.com:3306/cloudphone",
    "DEFAULT_DURATION_MINUTES": "60",
    "DEFAULT_MAX_DEVICES": "10",
    "DISPATCH_THREADS": "8",
    "MAX_EMAILS_PER_HOUR": "10",
    "MAX_SMS_PER_HOUR": "3",
    "EMAIL_FROM": "no-reply@example.com",
    "HEALTH_RATE_LIMIT": "1",
    "LOG_GROUPS": "/aws/rds/instance/db/error",
    "LOG_RETENTION_DAYS": "30",
    "MASS_FAILURE_DEVICES": "20",
    "MASS_FAILURE_SHARE": "0.2",
    "MAX_DURATION_MINUTES": "10080",
    "MAX_RETRIES": "3",
    "NOTIFICATION_RETENTION_DAYS": "90",
    "OPERATIONS_SECRET_ARN": "",
    "OPERATIONS_USER": "scheduler_operations",
    "OPERATOR_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:operator-a1b2c3",
    "OUTGOING_RETENTION_DAYS": "30",
    "PAYMENT_FAILURES_TABLE": "payment-failures",
    "PAYMENT_FAILURE_TTL_DAYS": "7",
    "REALTIME_CONNECTIONS_TABLE": "realtime-connections",
    "REALTIME_TICKETS_TABLE": "realtime-tickets",
    "SHARDS": "1",
    "SMS_SENDER_ID": "",
    "RELAY_LANGUAGE": "en",
    "WEBHOOK_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:webhook-a1b2c3",
    "WAITING_MINUTES": "120",
    "WEBSOCKET_ENDPOINT": "https://abc.execute-api.us-east-1.amazonaws.com/live",
}
IMPORTS = [ROOT / "functions", ROOT / "layers" / "scheduler"]
OF_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "PYTHONPATH": os.pathsep.join(map(str, IMPORTS)),
}


def variables(stack: Stack, function: str) -> set[str]:
    names = stack.functions[function]["Environment"]["Variables"]
    return {name for name in names if not name.startswith(OF_LIBRARIES)}


def read_at_cold_start(stack: Stack, function: str) -> set[str]:
    module = stack.functions[function]["Handler"].removesuffix(".handler")
    environment = {name: VALUES[name] for name in variables(stack, function)}
    done = subprocess.run(
        [sys.executable, PROBE, module],
        env=environment | OF_LAMBDA,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def read(stack: Stack) -> dict[str, set[str]]:
    with ThreadPoolExecutor() as pool:
        names = pool.map(partial(read_at_cold_start, stack), stack.functions)
        return dict(zip(stack.functions, names, strict=True))


def test_function_has_every_variable_that_its_settings_read(
    stack: Stack, read: dict[str, set[str]]
) -> None:
    missing = {name: read[name] - variables(stack, name) for name in stack.functions}

    assert not any(missing.values()), missing


def test_every_variable_is_read_by_a_function(stack: Stack, read: dict[str, set[str]]) -> None:
    unread = {name: variables(stack, name) - set().union(*read.values()) for name in read}

    assert not any(unread.values()), unread


def test_logs_and_metrics_have_the_service_name(stack: Stack) -> None:
    for function in stack.functions.values():
        service = function["Handler"].partition(".")[0].replace("_", "-")
        assert (
            function["Environment"]["Variables"].items()
            >= (POWERTOOLS | {"POWERTOOLS_SERVICE_NAME": service}).items()
        )
