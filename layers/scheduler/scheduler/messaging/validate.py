"""Parses the body of a message into the event that its contract defines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from scheduler.messaging.contract import Event, with_default_time
from scheduler.messaging.message import Message, MessageIdentity, identify

if TYPE_CHECKING:
    from datetime import datetime


class Parsed(NamedTuple):
    """A message with its identity and its event."""

    message: Message
    identity: MessageIdentity
    event: Event

    @property
    def key(self) -> str:
        """Return an id that is unique over all queues."""
        return f"{self.message.queue}:{self.identity.id}"


class InvalidBodyError(Exception):
    """The body violates the contract; the text says how."""


def parse(message: Message, contract: type[Event], now: datetime) -> Parsed:
    """Return a message with its event and its identity.

    Raises:
        InvalidBodyError: the body is not UTF-8, not JSON, not an object, or violates the contract.
    """
    body = _json_object(message.body)
    identity = identify(message, body)
    with_default_time(body, message.sent_at, now)
    try:
        event = contract.model_validate(body, by_alias=True, by_name=False, context={"now": now})
    except ValidationError as error:
        raise InvalidBodyError(_sentences(error)) from None
    return Parsed(message, identity, event)


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidBodyError(f"body is not UTF-8: {error.reason} at byte {error.start}") from None
    try:
        body = from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise InvalidBodyError(f"body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise InvalidBodyError(f"body is not a JSON object but a {type(body).__name__}")
    return body


def _sentences(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}:"
        f" {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )
