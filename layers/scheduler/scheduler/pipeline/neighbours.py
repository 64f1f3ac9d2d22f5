"""The messages next to each message of a batch.

If an acknowledgement is lost, the broker returns the messages in their order, but often in other
batches. So a redelivered message that is next to the same message as in an earlier run is the
message of that run.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.messaging.message import Message


class Neighbours(NamedTuple):
    """The delivery keys of the messages before and after one; empty if unknown, or its own."""

    key_before: str = ""
    key_after: str = ""

    def share_one(self, others: Neighbours) -> bool:
        """Return whether the same message is on the same side."""
        return any(ours and ours == theirs for ours, theirs in zip(self, others, strict=True))

    def among(self, keys: set[str]) -> Neighbours:
        """Return the neighbours that have one of these keys."""
        return Neighbours(*(key if key in keys else "" for key in self))


class NeighboursOfBatch:
    """The neighbours of each message of a batch, to be taken in the order of the batch."""

    def __init__(self, batch: Sequence[Message]) -> None:
        self._left: dict[str, list[Neighbours]] = defaultdict(list)
        keys = ["", *(message.delivery_key for message in batch), ""]
        for (before, key), (_, after) in pairwise(pairwise(keys)):
            # Equal messages are often next to each other, so that says nothing.
            distinct = ("" if one == key else one for one in (before, after))
            self._left[key].append(Neighbours(*distinct))

    def take(self, message: Message) -> Neighbours:
        """Return the neighbours of a message; of equal ones, each time those of the next."""
        left = self._left[message.delivery_key]
        return left.pop(0) if left else Neighbours()
