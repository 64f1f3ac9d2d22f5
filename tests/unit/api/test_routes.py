from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from allocation_api.access import Access, AccessGuard, Router
from allocation_api.api import AllocationApi
from allocation_api.settings import ApiSettings
from tests.integration.api.client import ADMIN, Client
from tests.integration.api.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

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


@pytest.fixture
def api() -> AllocationApi:
    return AllocationApi(ApiSettings.model_validate(ENVIRONMENT))


def registered(api: AllocationApi) -> set[tuple[str, str]]:
    """Return the routes that Powertools knows and describes."""
    paths = api.resolver.get_openapi_schema().paths or {}
    return {
        (method.upper(), path)
        for path, item in paths.items()
        for method in item.model_fields_set & {"get", "put", "post", "delete", "patch"}
    }


def test_every_route_has_the_access_rule_of_the_table(api: AllocationApi) -> None:
    assert api.rules == RULES


def test_every_registered_route_has_an_access_rule(api: AllocationApi) -> None:
    assert registered(api) | {("GET", "/openapi.json")} == set(api.rules)


def test_only_health_and_the_openapi_document_are_open(api: AllocationApi) -> None:
    assert [key for key, access in api.rules.items() if access is Access.ANYONE] == [
        ("GET", "/api/health"),
        ("GET", "/openapi.json"),
    ]
    guard = AccessGuard(api.rules, lambda _: None)
    assert guard.is_open("GET", "/api/health")
    for method, path in (("POST", "/api/health"), ("GET", "/api/health/"), ("GET", "/api")):
        assert not guard.is_open(method, path)


class CalledError(Exception):
    """A route function was called that must not be."""


def call(item_id: str) -> None:
    raise CalledError(item_id)


def without_rule(api: AllocationApi, method: str, path: str) -> None:
    """Register a route and forget its access rule."""
    router = Router()
    router.route(path, method)(call)
    include(api, router)


def rule_too_late(api: AllocationApi, method: str, path: str) -> None:
    """Register a route, and state its access rule above the route instead of below."""
    router = Router()
    router.allow(Access.ANYONE)(router.route(path, method)(call))
    include(api, router)


def past_the_router(api: AllocationApi, method: str, path: str) -> None:
    """Register a route with Powertools' own decorator."""
    api.resolver.route(path, method)(call)


def include(api: AllocationApi, router: Router) -> None:
    api.resolver.include_router(router)
    api.rules.update(router.rules)


@pytest.mark.parametrize("register", [without_rule, rule_too_late, past_the_router])
@pytest.mark.parametrize("claims", [None, ADMIN])
def test_a_route_without_an_access_rule_is_closed(
    api: AllocationApi,
    register: Callable[[AllocationApi, str, str], None],
    claims: dict[str, str] | None,
) -> None:
    register(api, "GET", "/api/secrets/<item_id>")
    register(api, "PATCH", "/api/devices/<item_id>")
    client = Client(api.handle)

    unknown = client.send("GET", "/api/secrets/s1", claims)
    known = client.send("PATCH", "/api/devices/d1", claims)

    if claims is None:
        assert (unknown.status, known.status) == (401, 401)
    else:
        assert (unknown.status, unknown.code) == (404, "not_found")
        assert (known.status, known.code) == (405, "method_not_allowed")
        assert known.headers["Allow"] == "GET, PUT"
    assert api.rules == RULES


def test_a_route_with_an_access_rule_is_reachable(api: AllocationApi) -> None:
    router = Router()
    router.get("/api/secrets/<item_id>")(router.allow(Access.ANYONE)(call))
    include(api, router)

    assert Client(api.handle).get("/api/secrets/s1").code == "internal_error"  # it was called


def test_a_cold_start_imports_nothing_that_most_requests_do_not_need() -> None:
    source = f"import sys, allocation_api.app; print([m for m in {HEAVY} if m in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", source],
        env={"PYTHONPATH": os.pathsep.join(sys.path), **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "[]"
