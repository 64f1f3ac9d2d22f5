"""Rows as JSON data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from typing import NamedTuple


def to_json(row: NamedTuple) -> dict[str, Any]:
    """Return the fields of a row with names in camel case, times in ISO 8601 format."""
    return {
        to_camel(name): value.isoformat() if isinstance(value, datetime) else value
        for name, value in row._asdict().items()
    }
