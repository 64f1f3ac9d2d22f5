"""JSON data: the objects of requests, and rows."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic.alias_generators import to_camel

from operations.errors import InvalidInputError
from scheduler.json_text import unique_object

if TYPE_CHECKING:
    from typing import NamedTuple


def read_object(raw: str | bytes) -> dict[str, Any]:
    """Return the JSON object in the body of a request.

    Raises:
        InvalidInputError: it is not JSON (RFC 8259: no NaN), not an object, or a name occurs
            twice with different values.
    """
    try:
        found = json.loads(raw, parse_constant=_refuse_constant, object_pairs_hook=unique_object)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidInputError("the body must be a JSON object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidInputError(f"{name} is not a JSON number")


def to_json(row: NamedTuple) -> dict[str, Any]:
    """Return the fields of a row with names in camel case, times in ISO 8601 format."""
    return {
        to_camel(name): value.isoformat() if isinstance(value, datetime) else value
        for name, value in row._asdict().items()
    }
