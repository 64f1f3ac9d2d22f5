"""Builds the description of the API: what Powertools reads from the code, and its refusals.

python -m allocation_api.openapi.build [FILE]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from pydantic.alias_generators import to_camel

from allocation_api.access import ACCESS, Access
from allocation_api.api import AllocationApi
from allocation_api.openapi.operations import OPERATIONS, Operation
from allocation_api.openapi.routes import DOCUMENT
from allocation_api.settings import ApiSettings

_NOWHERE: Final = {
    "DATABASE_URL": "mysql://nobody@127.0.0.1:1/nothing",
    "BROKER_URL": "amqp://127.0.0.1:1/nothing",
    "PAYMENT_FAILURES_TABLE": "none",
    "REALTIME_TICKETS_TABLE": "none",
}
"""Settings of an API that is described and never called."""

_ABOUT: Final = """Allocates cloud phones. Errors are `{"error": {"code", "message", "details"?}}`;
what API Gateway itself refuses is `{"message"}`. Times are ISO 8601 in UTC."""
_JSON: Final = "application/json"
_REPLACED: Final = ("HTTPValidationError", "ValidationError", "ResponseValidationError")
_SCHEMAS: Final = {
    "Error": {
        "type": "object",
        "properties": {"error": {"$ref": "#/components/schemas/Problem"}},
        "required": ["error"],
        "additionalProperties": False,
    },
    "GatewayMessage": {
        "type": "object",
        "description": "An answer of API Gateway, which the function has not seen.",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
    },
}
_BY_GATEWAY_TOO: Final = frozenset({401, 413, 429, 500, 503})
_OF_EVERY_ROUTE: Final[dict[int, tuple[str, ...]]] = {
    429: ("too many requests",),
    500: ("internal_error",),
    503: ("database_unavailable", "busy"),
}


def document() -> dict[str, Any]:
    """Return the OpenAPI document (3.1) of the API."""
    api = AllocationApi(ApiSettings.model_validate(_NOWHERE))
    text = api.resolver.get_openapi_json_schema(
        title="CloudPhone Scheduler", version="1", description=_ABOUT
    )
    found = json.loads(text)
    schemas = found["components"]["schemas"]
    kept = {name: schemas[name] for name in sorted(schemas) if name not in _REPLACED}
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {
        "openapi": found["openapi"],
        "info": found["info"],
        "security": [{"bearer": []}],
        "paths": _paths(found["paths"]),
        "components": {"schemas": kept | _SCHEMAS, "securitySchemes": {"bearer": bearer}},
    }


def _paths(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for method, path in OPERATIONS:
        operation = _operation(method, path, found[path][method.lower()])
        paths.setdefault(_camel(path), {})[method.lower()] = operation
    return paths


def _operation(method: str, path: str, found: dict[str, Any]) -> dict[str, Any]:
    operation = OPERATIONS[method, path]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [path.split("/")[2]],
    }
    if ACCESS[method, path] is Access.ANYONE:
        described["security"] = []
    if parameters := found.get("parameters"):
        described["parameters"] = [_parameter(one) for one in parameters]
    if body := found.get("requestBody"):
        described["requestBody"] = body
    described["responses"] = _responses(operation, ACCESS[method, path], found)
    return described


def _parameter(found: dict[str, Any]) -> dict[str, Any]:
    name, schema = found["name"], dict(found["schema"])
    # Absent or a value: there is no null in a URL or a header.
    schema |= next((one for one in schema.pop("anyOf", ()) if one.get("type") != "null"), {})
    if found["in"] == "path":
        name = to_camel(name)
        # Decoded by API Gateway, these end a segment or the path.
        schema["pattern"] = schema["pattern"].replace("[^", "[^/?")
    return {"name": name, "in": found["in"], "required": found["required"], "schema": schema}


def _responses(operation: Operation, access: Access, found: dict[str, Any]) -> dict[str, Any]:
    good = {int(code): one for code, one in found["responses"].items() if code.startswith("2")}
    bad = {status: _refusal(status, codes) for status, codes in _codes(operation, access, found)}
    named = {
        status: _answer(operation.summary, {"$ref": f"#/components/schemas/{name}"})
        for status, name in operation.bodies.items()
    }
    described = {status: {**one, "description": operation.summary} for status, one in good.items()}
    responses = described | bad | named
    return {str(status): responses[status] for status in sorted(responses)}


def _codes(
    operation: Operation, access: Access, found: dict[str, Any]
) -> list[tuple[int, tuple[str, ...]]]:
    codes = dict(_OF_EVERY_ROUTE)
    if access is not Access.ANYONE:
        codes[401] = ("unauthorized",)
    if access in {Access.OWNER, Access.ADMIN}:
        codes[403] = ("forbidden",)
    if "requestBody" in found:
        codes |= {413: ("payload_too_large",), 415: ("unsupported_media_type",)}
    if "requestBody" in found or "parameters" in found:
        codes[422] = ("invalid_request",)
    for status, more in operation.refusals.items():
        codes[status] = (*codes.get(status, ()), *more)
    if any(one["in"] == "path" for one in found.get("parameters", ())):
        codes.setdefault(404, ("not_found",))
    return list(codes.items())


def _refusal(status: int, codes: tuple[str, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": "#/components/schemas/Error"}
    if status in _BY_GATEWAY_TOO:
        schema = {"anyOf": [schema, {"$ref": "#/components/schemas/GatewayMessage"}]}
    return _answer(", ".join(codes), schema)


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _camel(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: f"{{{to_camel(found[1])}}}", path)


def as_text(described: dict[str, Any]) -> str:
    """Return the document as the file holds it."""
    return json.dumps(described, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    file = Path(sys.argv[1]) if sys.argv[1:] else DOCUMENT
    file.write_text(as_text(document()), "utf-8")
    sys.stdout.write(f"Wrote {file}\n")
