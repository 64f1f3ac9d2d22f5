"""Bodies of the events: the fields of their contracts, filled in and validated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import billing_events.contracts
import device_events.contracts
import user_events.contracts
from operations.errors import InvalidInputError
from operations.suggestions import hint, similar
from scheduler.messaging.body import InvalidBodyError
from scheduler.messaging.contract import Event
from scheduler.messaging.message import Message
from scheduler.messaging.validate import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

CONTRACTS: Final[dict[str, type[Event]]] = {
    contract.event_type: contract
    for module in (device_events.contracts, user_events.contracts, billing_events.contracts)
    for contract in vars(module).values()
    if isinstance(contract, type) and issubclass(contract, Event) and "event_type" in vars(contract)
}


@dataclass(frozen=True, slots=True)
class EventField:
    """A field of an event's body; the path of a nested field has dots: ``newQuota.maxDevices``."""

    path: str
    is_text: bool
    required: bool
    choices: tuple[str, ...] = ()


def contract_of(event_type: str) -> type[Event]:
    """Return the contract of an event.

    Raises:
        InvalidInputError: there is no such event; the message suggests a similar one.
    """
    if event_type in CONTRACTS:
        return CONTRACTS[event_type]
    raise InvalidInputError(f"unknown event {event_type}: {hint(event_type, CONTRACTS)}")


def fields(event_type: str) -> list[EventField]:
    """Return the fields of an event's body, nested ones by their path, without the timestamp.

    The timestamp has a default wherever bodies are filled in.
    """
    schema = contract_of(event_type).model_json_schema(by_alias=True)
    found = _fields(schema, schema.get("$defs", {}), "", required=True)
    return [field for field in found if field.path != "timestamp"]


def parse_assignments(arguments: Iterable[str]) -> dict[str, str]:
    """Split ``key=value`` arguments.

    Raises:
        InvalidInputError: an argument does not have this form.
    """
    pairs: dict[str, str] = {}
    for argument in arguments:
        path, separator, value = argument.partition("=")
        if not separator or not path:
            raise InvalidInputError(f"{argument!r} must have the form key=value")
        pairs[path] = value
    return pairs


def fill_in(body: dict[str, Any], event_type: str, values: Mapping[str, str]) -> None:
    """Set fields of a body to values that a user typed; a key with dots sets a nested field.

    A field that is text in the contract stays text (``reason=404``); other values are parsed as
    JSON if possible.

    Raises:
        InvalidInputError: a key leads into a value that is not an object.
    """
    texts = (
        {field.path for field in fields(event_type) if field.is_text}
        if event_type in CONTRACTS
        else set()
    )
    for path, value in values.items():
        *parents, name = path.split(".")
        target = body
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise InvalidInputError(f"{path}: {parent} is not an object")
        target[name] = value if path in texts else _json_or_text(value)


def to_bytes(body: Mapping[str, Any]) -> bytes:
    """Return a body as JSON; bytes of the command line that are not UTF-8 stay as they are.

    Raises:
        InvalidInputError: a value contains half a surrogate pair.
    """
    try:
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidInputError("a value contains half a surrogate pair") from None


def validate(event_type: str, raw: bytes, now: datetime) -> None:
    """Check that the consuming function would accept a body.

    Raises:
        InvalidInputError: the message names the invalid field and the reason.
    """
    if error := body_error(event_type, raw, now):
        required = [field.path for field in fields(event_type) if field.required]
        raise InvalidInputError(
            f"{event_type}: {error} (required: {', '.join(required)};"
            " --raw publishes the body without validation)"
        )


def body_error(event_type: str, raw: bytes, now: datetime) -> str | None:
    """Return why the consuming function refuses a body, as in ``x-error``; None if it accepts it.

    Raises:
        InvalidInputError: there is no such event.
    """
    try:
        parse(Message("", raw, {}), contract_of(event_type), now)
    except InvalidBodyError as error:
        return str(error)
    return None


def refuse_unknown_fields(event_type: str, raw: bytes, now: datetime) -> None:
    """Refuse a valid body with a field that the consuming function would ignore.

    Raises:
        InvalidInputError: the message names the fields and suggests similar ones.
    """
    text = raw.decode("utf-8-sig", "replace")  # repaired like `read_body`, which accepted it
    body, contract = json.loads(text, strict=False), contract_of(event_type)
    known = {"timestamp", "eventId", "version", *(one.path for one in fields(event_type))}
    event = _event(contract, body, now)
    ignored = [
        path
        for path in _paths(body)
        if path not in known and not any(one.startswith(f"{path}.") for one in known)
        # A contract may understand other shapes: then the event is not the same without it.
        if _event(contract, _without(body, path), now) == event
    ]
    if not ignored:
        return
    close = [name for path in ignored if (name := similar(path, known))]
    question = f", did you mean {', '.join(close)}?" if close else ""
    raise InvalidInputError(
        f"{event_type} has no field {', '.join(ignored)}{question} (consumers would ignore it;"
        " --allow-unknown publishes it)"
    )


def _event(contract: type[Event], body: dict[str, Any], now: datetime) -> Event | None:
    try:
        return parse(Message("", json.dumps(body).encode(), {}), contract, now).event
    except InvalidBodyError:
        return None


def _paths(body: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in body.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{name}.")


def _without(body: dict[str, Any], path: str) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    if not rest:
        return {key: value for key, value in body.items() if key != name}
    return {**body, name: _without(body[name], rest)}


def _fields(
    schema: dict[str, Any], definitions: dict[str, Any], prefix: str, *, required: bool
) -> Iterator[EventField]:
    for name, given in schema["properties"].items():
        variants = [_resolve(variant, definitions) for variant in given.get("anyOf", [given])]
        needed = required and name in schema.get("required", ())
        nested = next((variant for variant in variants if "properties" in variant), None)
        if nested:
            yield from _fields(nested, definitions, f"{prefix}{name}.", required=needed)
        else:
            types = {variant.get("type") for variant in variants}
            choices = next((v["enum"] for v in variants if "enum" in v), ())
            is_text = types <= {"string", "null"}
            yield EventField(f"{prefix}{name}", is_text, needed, tuple(choices))


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference: str | None = schema.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else schema


def _json_or_text(value: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
