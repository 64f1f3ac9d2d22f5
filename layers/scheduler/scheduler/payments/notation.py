"""DynamoDB's notation of values, such as ``{"S": "text"}``, and values without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Item = dict[str, Any]
"""An item without the notation."""
Values = dict[str, dict[str, Any]]
"""Values with it, by the name of their attribute or placeholder."""


def with_notation(item: Item) -> Values:
    """Return an item in DynamoDB's notation."""
    from boto3.dynamodb.types import TypeSerializer  # noqa: PLC0415 - the rest needs no boto3

    serialize = TypeSerializer().serialize
    return {name: dict(serialize(value)) for name, value in item.items()}


def plain(item: Mapping[str, Any]) -> Item:
    """Return an item without DynamoDB's notation."""
    from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415 - the rest needs no boto3

    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}


def key(user_id: str) -> Values:
    """Return the key of a user's item."""
    return {"user_id": text(user_id)}


def text(value: str) -> dict[str, Any]:
    """Return a text as DynamoDB has it."""
    return {"S": value}


def texts(values: Collection[str]) -> dict[str, Any]:
    """Return a set of texts as DynamoDB has it."""
    return {"SS": list(values)}


def number(value: int) -> dict[str, Any]:
    """Return an integer as DynamoDB has it."""
    return {"N": str(value)}
