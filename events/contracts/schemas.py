"""JSON Schemas (2020-12) of the events, made of their contracts.

A body that satisfies a schema is accepted. The functions accept more: numbers as text, envelopes,
damaged text (docs/events.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from events.contracts.documented import field_meanings, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DECIMAL: Final = r"^-?[0-9]+(\.[0-9]+)?$"
_HAS_DEFAULT: Final = frozenset({"timestamp"})
"""Required in the model, which is validated after the default is set."""


def schema_of(model: type[BaseModel], event_type: str, examples: list[Any]) -> dict[str, Any]:
    """Return the schema of an event's body, without references."""
    found = model.model_json_schema(by_alias=True)
    inlined = _inlined(found, found.get("$defs", {}))
    _describe(inlined, model)
    consumed = model.model_config.get("extra") != "forbid"
    required = [one for one in inlined["required"] if not (consumed and one in _HAS_DEFAULT)]
    return {
        "$schema": DIALECT,
        "$id": f"urn:cloudphone:{event_type}",
        "title": event_type,
        "description": plain(model.__doc__),
        "type": "object",
        "properties": inlined["properties"],
        "required": required,
        "additionalProperties": True,
        "examples": examples,
    }


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Set the descriptions of a model's fields, and those of models within it."""
    meanings = field_meanings(model)
    for name, field in model.model_fields.items():
        properties = schema["properties"][field.alias or name]
        if name in meanings:
            properties["description"] = meanings[name]
        if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
            _describe(properties, field.annotation)


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return _inlined(definitions[reference.rpartition("/")[2]], definitions)
    kept = {name: value for name, value in schema.items() if name not in _dropped(schema)}
    inner = {name: _inlined(value, definitions) for name, value in kept.items() if name != "$defs"}
    return _merged(inner)


def _dropped(schema: Mapping[str, Any]) -> set[str]:
    """Return keywords without information: generated titles, and null as default."""
    dropped = {"title"} if isinstance(schema.get("title"), str) else set()
    return dropped | ({"default"} if schema.get("default", ...) is None else set())


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """Write "a value or null" and "number or text" without ``anyOf`` where possible."""
    variants = schema.get("anyOf")
    if variants == [{"type": "null"}]:
        return schema
    if variants and {one.get("type") for one in variants} == {"number", "string"}:
        (text,) = (one for one in variants if one["type"] == "string")
        text["pattern"] = _DECIMAL
    if variants and variants[1:] == [{"type": "null"}] and isinstance(variants[0].get("type"), str):
        rest = {name: value for name, value in schema.items() if name != "anyOf"}
        return {**rest, **variants[0], "type": [variants[0]["type"], "null"]}
    return schema
