"""Reads bodies with the contracts of their events."""

from typing import Any

from events.bodies import SMALLEST
from scheduler.messaging.body import InvalidBodyError
from scheduler.messaging.contract import Event
from scheduler.messaging.validate import parse
from tests.support.deciding import handling_of, parsed
from tests.support.events import QUEUE_OF, message
from tests.support.world import NOW

REQUIRED = [(name, field) for name, body in SMALLEST.items() for field in body]
"""Each required field, with the type of its event."""


def contract_of(event_type: str) -> type[Event]:
    """Return the contract of a type of events."""
    return handling_of(QUEUE_OF[event_type]).contract


def event(event_type: str, **about: Any) -> Any:  # noqa: ANN401 - any event
    """Return the event in a valid body."""
    return parsed(message(event_type, **about)).event


def refusal(event_type: str, *, body: bytes | None = None, **fields: Any) -> str:  # noqa: ANN401 - any field
    """Return why a body is refused, or an empty text."""
    sent = message(event_type, body=body, **fields)
    try:
        parse(sent, contract_of(event_type), NOW)
    except InvalidBodyError as error:
        return str(error)
    return ""
