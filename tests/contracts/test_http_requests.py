"""The requests of contracts/api.http are those of the API, with bodies that it accepts."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import jsonschema_rs
import pytest

from allocation_api.resources.openapi import DOCUMENT
from events.contracts.http_requests import http_requests

OPENAPI: Final = json.loads(DOCUMENT.read_text("utf-8"))
BLOCK: Final = re.compile(
    r"### (?P<summary>.+)\n# @name (?P<name>\w+)\n(?P<method>[A-Z]+) \{\{api\}\}(?P<path>\S+)\n"
    r"(?:[A-Z][\w-]+: .+\n)*(?:\n(?P<body>\{(?s:.)+?\n\}|\{\})\n)?"
)
REQUESTS: Final = [match.groupdict() for match in BLOCK.finditer(http_requests())]


def operation(request: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON
    path = request["path"].replace("{{", "{").replace("}}", "}")
    return OPENAPI["paths"][path][request["method"].lower()]


def test_every_operation_has_a_request() -> None:
    operations = [one["operationId"] for path in OPENAPI["paths"].values() for one in path.values()]

    assert [request["name"] for request in REQUESTS] == operations


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: str(one["name"]))
def test_its_body_satisfies_the_schema(request_: dict[str, str]) -> None:
    found = operation(request_)

    assert found["operationId"] == request_["name"]
    assert ("requestBody" in found) == bool(request_["body"])
    if request_["body"]:
        schema = found["requestBody"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": OPENAPI["components"]}
        jsonschema_rs.validator_for(whole).validate(json.loads(request_["body"]))


def test_every_variable_is_defined() -> None:
    text = http_requests()

    assert set(re.findall(r"\{\{(\w+)\}\}", text)) <= set(
        re.findall(r"^@(\w+) =", text, re.MULTILINE)
    )
