from __future__ import annotations

import os
import subprocess
import sys

import pytest

from allocation_api.access import ACCESS, Access, is_open
from allocation_api.api import AllocationApi
from allocation_api.settings import ApiSettings

ENVIRONMENT = {
    "DATABASE_URL": "mysql://nobody@127.0.0.1:1/nothing",
    "BROKER_URL": "amqp://127.0.0.1:1/nothing",
    "PAYMENT_FAILURES_TABLE": "payment-failures",
    "REALTIME_TICKETS_TABLE": "realtime-tickets",
}
HEAVY = (
    "boto3",
    "botocore.session",
    "pika",
    "allocation_api.openapi.build",
    "aws_lambda_powertools.event_handler.openapi.swagger_ui",
)


@pytest.fixture(scope="module")
def api() -> AllocationApi:
    return AllocationApi(ApiSettings.model_validate(ENVIRONMENT))


def test_every_route_has_an_entry_in_the_table_of_roles_and_the_other_way_round(
    api: AllocationApi,
) -> None:
    paths = api.resolver.get_openapi_schema().paths or {}

    routes = {
        (method.upper(), path)
        for path, item in paths.items()
        for method in item.model_fields_set & {"get", "put", "post", "delete", "patch"}
    }
    assert routes | {("GET", "/openapi.json")} == set(ACCESS)


def test_only_health_and_the_description_are_open() -> None:
    assert [key for key, access in ACCESS.items() if access is Access.ANYONE] == [
        ("GET", "/api/health"),
        ("GET", "/openapi.json"),
    ]
    assert is_open("GET", "/api/health")
    for method, path in (("POST", "/api/health"), ("GET", "/api/health/"), ("GET", "/api")):
        assert not is_open(method, path)


def test_a_cold_start_loads_nothing_that_most_requests_do_not_need() -> None:
    source = f"import sys, allocation_api.app; print([m for m in {HEAVY} if m in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", source],
        env={"PYTHONPATH": os.pathsep.join(sys.path), **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "[]"
