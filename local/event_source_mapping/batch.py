"""What one queue has delivered and no invocation has taken yet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from local.event_source_mapping.environment import PAYLOAD_LIMIT

# The event around the records: its fixed part and the longest queue and vhost names of AMQP.
_ENVELOPE_BYTES: Final = 1024
RECORDS_LIMIT: Final = PAYLOAD_LIMIT - _ENVELOPE_BYTES


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivered message: its tag on the channel, its record and when it came (monotonic)."""

    tag: int
    record: bytes
    arrived: float


class Backlog:
    """The deliveries that wait, and the rule when they become a batch.

    As Lambda batches (lambda/latest/dg/invocation-eventsourcemapping.html): at `size` records,
    at 6 MB, or when `window` seconds have passed since the first one came.
    """

    def __init__(self, size: int, window: float) -> None:
        self._size = size
        self._window = window
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0

    def add(self, delivery: Delivery) -> None:
        """Append a delivery."""
        self._waiting.append(delivery)
        self._bytes += len(delivery.record) + 1

    def seconds_until_due(self, now: float) -> float | None:
        """Return how long the next batch may still wait; 0 when it is due, None when empty."""
        if not self._waiting:
            return None
        if len(self._waiting) >= self._size or self._bytes > RECORDS_LIMIT:
            return 0.0
        return max(0.0, self._waiting[0].arrived + self._window - now)

    def take(self) -> list[Delivery]:
        """Remove and return the next batch: at least one delivery, at most `size` and 6 MB."""
        batch: list[Delivery] = []
        total = 0
        while self._waiting and len(batch) < self._size:
            total += len(self._waiting[0].record) + 1
            if batch and total > RECORDS_LIMIT:
                break
            batch.append(self._waiting.popleft())
        self._bytes -= sum(len(delivery.record) + 1 for delivery in batch)
        return batch

    def clear(self) -> None:
        """Forget everything: the channel that delivered it is gone."""
        self._waiting.clear()
        self._bytes = 0
