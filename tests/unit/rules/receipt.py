"""Messages with the time at which they were first received."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduler.messaging.message import to_milliseconds
from tests.support.events import message

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.messaging.message import Message


def received(event_type: str, moment: datetime, /, **about: Any) -> Message:  # noqa: ANN401 - any field
    """Return a message that was first received at a time."""
    return message(event_type, headers={"x-received-at": to_milliseconds(moment)}, **about)
