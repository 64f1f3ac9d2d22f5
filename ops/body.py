"""An event's body from what somebody typed, checked against its contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ops.contracts import CONTRACTS, contract_of, fields
from ops.errors import InvalidInputError
from scheduler.messaging.message import Message
from scheduler.messaging.validate import InvalidBodyError, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


def assignments(arguments: Iterable[str]) -> dict[str, str]:
    """Split ``key=value`` arguments.

    Raises:
        InvalidInputError: an argument is not of that form.
    """
    pairs: dict[str, str] = {}
    for argument in arguments:
        path, separator, value = argument.partition("=")
        if not separator or not path:
            raise InvalidInputError(f"{argument!r} is not of the form key=value")
        pairs[path] = value
    return pairs


def fill_in(body: dict[str, Any], event_type: str, values: Mapping[str, str]) -> None:
    """Put typed values into a body; a dot in a key leads into an object.

    A field that the contract holds to be text stays text (``reason=404``), any other value is
    read as JSON if it is JSON.

    Raises:
        InvalidInputError: a key leads into something that is no object.
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


def check(event_type: str, raw: bytes, now: datetime) -> None:
    """Make sure that the consuming function would accept a body.

    Raises:
        InvalidInputError: says which field is wrong and why.
    """
    contract = contract_of(event_type)
    try:
        parse(Message("", raw, {}), contract, now)
    except InvalidBodyError as error:
        required = [field.path for field in fields(event_type) if field.required]
        raise InvalidInputError(
            f"{event_type}: {error} (required: {', '.join(required)}; --raw sends it anyway)"
        ) from None


def _json_or_text(value: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(value)
    except ValueError:
        return value
