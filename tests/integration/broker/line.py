"""A connection to the broker on which a test observes the messages that are published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.messaging.outbound import OutboundMessage
from tests.integration.local.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE: Final = "publishing"
_MARK: Final = b"<body "


def messages(count: int, queue: str = QUEUE) -> list[OutboundMessage]:
    """Return numbered messages for a queue."""
    return [
        OutboundMessage("", queue, _MARK + b"%04d>" % n, {"message_id": f"m-{n:04}"})
        for n in range(count)
    ]


class Line(Proxy):
    """A proxy of the broker that counts the messages published through it.

    ``react`` is called with their number when it has increased, before they are forwarded.
    """

    def __init__(self, target: int) -> None:
        super().__init__(target, self._count)
        self._stream = b""
        self.react: Callable[[int], object] = lambda _: None

    @property
    def messages(self) -> int:
        return self._stream.count(_MARK)

    def _count(self, data: bytes) -> None:
        before = self.messages
        self._stream += data
        if self.messages > before:
            self.react(self.messages)
