"""Validates a message against the contract of its queue, and fixes its time and identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import ValidationError

from scheduler.messaging.body import InvalidBodyError, read_body
from scheduler.messaging.contract import CLOCK_AHEAD, RECEIVED_AT, Event, with_default_time
from scheduler.messaging.message import Message, MessageIdentity, identify
from scheduler.messaging.topology import subject_field

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_MAX_NAME: Final = 64
"""Characters of a name in an error: a misspelled one may be as long as the body."""


class Parsed(NamedTuple):
    """A message with its identity and its event; see `parse`.

    ``received_at`` is the time of first receipt, ``timed`` says whether the publisher named a time,
    and ``clock_ahead`` whether that time was too far ahead and was replaced.
    """

    message: Message
    identity: MessageIdentity
    event: Event
    received_at: datetime
    timed: bool = True
    clock_ahead: bool = False

    @property
    def key(self) -> str:
        """Return an id that is unique over all queues."""
        return f"{self.message.queue}:{self.identity.id}"


def parse(message: Message, contract: type[Event], now: datetime) -> Parsed:
    """Return a message with its event and its identity.

    The event's time is the body's ``timestamp``, else the AMQP timestamp, else the time of first
    receipt; one that is more than five minutes ahead of the first receipt counts as that.

    Args:
        message: as received.
        contract: of the message's queue.
        now: the time of this receipt; an earlier one is in the message's headers.

    Raises:
        InvalidBodyError: the body is not JSON, not an object, or violates the contract.
    """
    body = read_body(message.body, subject_field(contract.event_type))
    identity, received_at = identify(message, body), message.first_received(now)
    timed = with_default_time(body, message.sent_at, received_at)
    context: dict[str, Any] = {RECEIVED_AT: received_at}
    try:
        event = contract.model_validate(body, by_alias=True, by_name=False, context=context)
    except ValidationError as error:
        raise InvalidBodyError("; ".join(_sentences(error, body))) from None
    ahead = CLOCK_AHEAD in context
    return Parsed(message, identity, event, received_at, timed, ahead)


def _sentences(error: ValidationError, body: dict[str, Any]) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            text += _misspelling(body, problem["loc"])
        # Without a place, the text names the field: it is one that the contract only understands.
        yield ": ".join(filter(None, (".".join(map(str, problem["loc"])), text)))


def _misspelling(body: Any, place: tuple[int | str, ...]) -> str:  # noqa: ANN401 - any JSON
    """Return a hint at a field that differs from a missing one only by case or underscores."""
    *parents, wanted = place
    for name in parents:
        body = body[name]
    similar = [name for name in body if _folded(name) == _folded(str(wanted))]
    return f": the body has {similar[0][:_MAX_NAME]}" if similar else ""


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
