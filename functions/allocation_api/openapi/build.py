"""Builds the OpenAPI document: what Powertools reads from the routes, and the error responses.

python -m allocation_api.openapi.build [FILE]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from pydantic.alias_generators import to_camel

from allocation_api.access import Access
from allocation_api.api import AllocationApi
from allocation_api.errors import CONTENT_TYPE
from allocation_api.openapi.responses import ERROR_SCHEMA
from allocation_api.resources.openapi import DOCUMENT
from allocation_api.settings import ApiSettings
from scheduler.version import VERSION

_UNREACHABLE: Final = {
    "DATABASE_URL": "mysql://nobody@127.0.0.1:1/nothing",
    "BROKER_URL": "amqp://127.0.0.1:1/nothing",
    "PAYMENT_FAILURES_TABLE": "none",
    "REALTIME_TICKETS_TABLE": "none",
}
"""Settings for building the document; nothing is ever connected."""

_ABOUT: Final = """Allocates cloud phones. Errors are `{"error": {"code", "message", "details"?}}`;
those of API Gateway itself are `{"message"}`. Times are ISO 8601 in UTC.
Texts for users are in the language of `Accept-Language` (`zh` or `en`), else in the user's."""
_BEARER: Final = """An access token of the identity provider; its `sub` is the user.
On the local platform, the page `/docs` has one of an administrator, and `bin/scheduler-ops token
USER` prints one. For a stack, see "The first administrator" in docs/operations.md."""
_VALIDATION_SCHEMAS: Final = ("HTTPValidationError", "ValidationError", "ResponseValidationError")
"""Schemas of responses that Powertools describes but the API replaces."""
_VALIDATION_STATUSES: Final = ("422", "500")
_SCHEMAS: Final = {
    "Error": {
        "type": "object",
        "properties": {"error": {"$ref": "#/components/schemas/Problem"}},
        "required": ["error"],
        "additionalProperties": False,
    },
    "GatewayMessage": {
        "type": "object",
        "description": "An error response of API Gateway itself.",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
    },
}
_GATEWAY_STATUSES: Final = frozenset({401, 413, 429, 500, 503})
"""Errors that API Gateway may return too."""
_OF_EVERY_ROUTE: Final[dict[int, tuple[str, ...]]] = {
    429: ("too_many_requests",),
    500: ("internal_error",),
    503: ("database_unavailable", "busy"),
}


def document() -> dict[str, Any]:
    """Return the OpenAPI document (3.1) of the API."""
    api = AllocationApi(ApiSettings.model_validate(_UNREACHABLE))
    text = api.resolver.get_openapi_json_schema(
        title="CloudPhone Scheduler", version=VERSION, description=_ABOUT
    )
    found = json.loads(re.sub(r'\b([A-Z]\w+)Response"', r'\1"', text))  # suffix of models
    schemas = found["components"]["schemas"]
    kept = {name: schemas[name] for name in sorted(schemas) if name not in _VALIDATION_SCHEMAS}
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": _BEARER,
    }
    return {
        "openapi": found["openapi"],
        "info": found["info"],
        "security": [{"bearer": []}],
        "paths": _paths(found["paths"], api.rules),
        "components": {"schemas": kept | _SCHEMAS, "securitySchemes": {"bearer": bearer}},
    }


def _paths(
    found: dict[str, dict[str, Any]], rules: dict[tuple[str, str], Access]
) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for (method, path), access in rules.items():
        if path in found:
            operation = _operation(path, access, found[path][method.lower()])
            paths.setdefault(_camel(path), {})[method.lower()] = operation
    return paths


def _operation(path: str, access: Access, found: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": found["operationId"],
        "summary": found["summary"],
        "tags": [path.split("/")[2]],
    }
    if access is Access.ANYONE:
        described["security"] = []
    if parameters := found.get("parameters"):
        described["parameters"] = [_parameter(one) for one in parameters]
    if body := found.get("requestBody"):
        described["requestBody"] = body
    described["responses"] = _responses(access, found)
    return described


def _parameter(found: dict[str, Any]) -> dict[str, Any]:
    name, schema = found["name"], dict(found["schema"])
    # A parameter is absent or has a value: URLs and headers know no null.
    schema |= next((one for one in schema.pop("anyOf", ()) if one.get("type") != "null"), {})
    if found["in"] == "path":
        name = to_camel(name)
    return {"name": name, "in": found["in"], "required": found["required"], "schema": schema}


def _responses(access: Access, found: dict[str, Any]) -> dict[str, Any]:
    codes = _codes(access, found)
    bodies: dict[int, Any] = {}
    for status, response in found["responses"].items():
        if status in _VALIDATION_STATUSES:
            continue
        schema = response["content"][CONTENT_TYPE]["schema"]
        if schema == ERROR_SCHEMA:
            declared = response["description"].split(", ")
            codes[int(status)] = (*codes.get(int(status), ()), *declared)
        else:
            bodies[int(status)] = _response(found["summary"], schema)
    responses = {status: _error(status, codes[status]) for status in codes} | bodies
    return {str(status): responses[status] for status in sorted(responses)}


def _codes(access: Access, found: dict[str, Any]) -> dict[int, tuple[str, ...]]:
    """Return the error codes by status that follow from access rule, parameters and body."""
    codes = dict(_OF_EVERY_ROUTE)
    parameters = found.get("parameters", ())
    if access is not Access.ANYONE:
        codes[401] = ("unauthorized",)
    if access in {Access.OWNER, Access.ADMIN}:
        codes[403] = ("forbidden",)
    if any(one["in"] == "path" for one in parameters):
        codes[404] = ("not_found",)
    if "requestBody" in found:
        codes |= {413: ("payload_too_large",), 415: ("unsupported_media_type",)}
    if "requestBody" in found or parameters:
        codes[422] = ("invalid_request",)
    return codes


def _error(status: int, codes: tuple[str, ...]) -> dict[str, Any]:
    schema = ERROR_SCHEMA
    if status in _GATEWAY_STATUSES:
        schema = {"anyOf": [schema, {"$ref": "#/components/schemas/GatewayMessage"}]}
    return _response(", ".join(codes), schema)


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {CONTENT_TYPE: {"schema": schema}}}


def _camel(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: f"{{{to_camel(found[1])}}}", path)


def as_text(described: dict[str, Any]) -> str:
    """Return the document as the file holds it."""
    return json.dumps(described, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    file = Path(sys.argv[1]) if sys.argv[1:] else DOCUMENT
    file.write_text(as_text(document()), "utf-8")
    sys.stdout.write(f"Wrote {file}\n")
