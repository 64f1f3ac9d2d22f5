"""The OpenAPI document matches the code, and describes every response."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from allocation_api.access import Access
from allocation_api.api import AllocationApi
from allocation_api.openapi.build import as_text, document
from allocation_api.resources.openapi import DOCUMENT
from allocation_api.settings import ApiSettings
from scheduler.domain.refusal import Refusal
from tests.integration.api.client import Client
from tests.integration.api.rules import RULES
from tests.unit.api.test_routes import ENVIRONMENT

REFERENCE = "#/components/schemas/"
DESCRIBED = {route: access for route, access in RULES.items() if route[1] != "/openapi.json"}


def camel(path: str) -> str:
    return re.sub(r"\w+_id", lambda found: to_camel(found[0]), path)


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document()


def operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in described["paths"].values() for operation in path.values()]


def test_the_committed_document_matches_the_code(described: dict[str, Any]) -> None:
    assert DOCUMENT.read_text("utf-8") == as_text(described), "run `make openapi` and commit"


def test_every_route_is_described(described: dict[str, Any]) -> None:
    routes = {
        (method.upper(), path) for path, item in described["paths"].items() for method in item
    }

    assert routes == {(method, camel(path)) for method, path in DESCRIBED}


def test_operation_ids_are_unique(described: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(described)]

    assert len(names) == len(set(names))


def test_every_reference_resolves_and_every_schema_is_used(
    described: dict[str, Any],
) -> None:
    used = set(re.findall(f'"{REFERENCE}([^"]+)"', json.dumps(described)))

    assert used == set(described["components"]["schemas"])


def test_limits_use_the_keywords_of_json_schema(described: dict[str, Any]) -> None:
    minutes = described["components"]["schemas"]["Extension"]["properties"]["additionalMinutes"]

    assert (minutes["minimum"], minutes["maximum"]) == (1, 1440)
    assert not re.search(r'"(?:ge|le|gt|lt)":', json.dumps(described))


def test_every_refusal_is_described(described: dict[str, Any]) -> None:
    documented = json.dumps([operation["responses"] for operation in operations(described)])

    for refusal in Refusal:
        assert refusal.value in documented


@pytest.mark.parametrize(("route", "access"), DESCRIBED.items())
def test_errors_follow_from_access_rule_and_body(
    described: dict[str, Any], route: tuple[str, str], access: Access
) -> None:
    method, path = route
    found = described["paths"][camel(path)][method.lower()]
    responses = found["responses"]

    assert ("401" in responses) == (access is not Access.ANYONE)
    assert ("security" in found) == (access is Access.ANYONE)
    assert access not in {Access.OWNER, Access.ADMIN} or "403" in responses
    assert {"413", "415", "422"} <= set(responses) or "requestBody" not in found
    assert {"500", "503"} <= set(responses)


def test_the_document_is_served_without_a_token() -> None:
    api = Client(AllocationApi(ApiSettings.model_validate(ENVIRONMENT)).handle)

    reply = api.get("/openapi.json", claims=None)

    assert reply.status == 200
    assert reply.body == json.loads(DOCUMENT.read_text("utf-8"))
