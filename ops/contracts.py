"""The contracts of the 15 events, and their fields as somebody who fills them in sees them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import billing_events.contracts
import device_events.contracts
import user_events.contracts
from ops.errors import InvalidInputError
from scheduler.messaging.contract import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACTS: Final[dict[str, type[Event]]] = {
    contract.event_type: contract
    for module in (device_events.contracts, user_events.contracts, billing_events.contracts)
    for contract in vars(module).values()
    if isinstance(contract, type) and issubclass(contract, Event) and "event_type" in vars(contract)
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event's body; the path of a nested one has dots: ``newQuota.maxDevices``."""

    path: str
    is_text: bool
    required: bool
    choices: tuple[str, ...] = ()


def contract_of(event_type: str) -> type[Event]:
    """Return the contract of an event.

    Raises:
        InvalidInputError: there is no such event; names the one that may be meant.
    """
    if event_type in CONTRACTS:
        return CONTRACTS[event_type]
    close = difflib.get_close_matches(event_type, CONTRACTS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(CONTRACTS)}"
    raise InvalidInputError(f"unknown event {event_type}: {hint}")


def fields(event_type: str) -> list[Field]:
    """Return the fields of an event's body, nested ones with their whole path.

    The timestamp is none of them: it has a default wherever one fills in an event.
    """
    schema = contract_of(event_type).model_json_schema(by_alias=True)
    found = _fields(schema, schema.get("$defs", {}), "", required=True)
    return [field for field in found if field.path != "timestamp"]


def _fields(
    schema: dict[str, Any], definitions: dict[str, Any], prefix: str, *, required: bool
) -> Iterator[Field]:
    for name, given in schema["properties"].items():
        variants = [_resolve(variant, definitions) for variant in given.get("anyOf", [given])]
        needed = required and name in schema.get("required", ())
        nested = next((variant for variant in variants if "properties" in variant), None)
        if nested:
            yield from _fields(nested, definitions, f"{prefix}{name}.", required=needed)
        else:
            types = {variant.get("type") for variant in variants}
            choices = next((v["enum"] for v in variants if "enum" in v), ())
            yield Field(f"{prefix}{name}", types <= {"string", "null"}, needed, tuple(choices))


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference: str | None = schema.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else schema
