"""Messages whose publisher gave them no id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.support.events import QUEUE_OF, message

if TYPE_CHECKING:
    from scheduler.messaging.message import Message

AWAY: Final = "mysql://nobody@127.0.0.1:1/cloudphone"
"""A database that is not there."""
PAYMENT: Final = QUEUE_OF["billing.payment_failed"]


def unnamed(event_type: str, **about: Any) -> Message:  # noqa: ANN401 - any field
    """Return a message whose publisher gave it no id."""
    return message(event_type, id=None, **about)


def again(sent: Message) -> Message:
    """Return the message as the broker delivers it once more."""
    return sent._replace(redelivered=True)


def payment(user_id: str = "u1") -> Message:
    """Return a failed payment without an id."""
    return unnamed("billing.payment_failed", userId=user_id)
