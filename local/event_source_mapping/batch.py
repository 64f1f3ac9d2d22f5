"""Records that wait for the next batch, and when a batch is due."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from local.lambda_runtime.environment import PAYLOAD_LIMIT

# The event without its records: its fixed part and the longest queue and vhost names of AMQP.
_ENVELOPE_BYTES: Final = 1024
RECORDS_LIMIT: Final = PAYLOAD_LIMIT - _ENVELOPE_BYTES


@dataclass(frozen=True, slots=True)
class DeliveredRecord:
    """The record of a delivered message, its delivery tag and its arrival (monotonic time)."""

    tag: int
    json: bytes
    arrived: float


class BatchQueue:
    """The waiting records of one queue.

    A batch is due, as in Lambda (lambda/latest/dg/invocation-eventsourcemapping.html), at `size`
    records, at 6 MB, or `window` seconds after the first record arrived.
    """

    def __init__(self, size: int, window: float) -> None:
        self._size = size
        self._window = window
        self._waiting: deque[DeliveredRecord] = deque()
        self._bytes = 0

    def add(self, record: DeliveredRecord) -> None:
        """Append a record."""
        self._waiting.append(record)
        self._bytes += len(record.json) + 1

    def seconds_until_due(self, now: float) -> float | None:
        """Return the seconds until the next batch is due; None if no record waits."""
        if not self._waiting:
            return None
        if len(self._waiting) >= self._size or self._bytes > RECORDS_LIMIT:
            return 0.0
        return max(0.0, self._waiting[0].arrived + self._window - now)

    def take(self) -> list[DeliveredRecord]:
        """Remove and return the next batch: one record or more, up to `size` records and 6 MB."""
        batch: list[DeliveredRecord] = []
        total = 0
        while self._waiting and len(batch) < self._size:
            total += len(self._waiting[0].json) + 1
            if batch and total > RECORDS_LIMIT:
                break
            batch.append(self._waiting.popleft())
        self._bytes -= sum(len(record.json) + 1 for record in batch)
        return batch

    def clear(self) -> None:
        """Remove all records: their channel is closed, so the broker delivers them again."""
        self._waiting.clear()
        self._bytes = 0
