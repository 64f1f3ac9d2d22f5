"""Matches a redelivered message without an id with the ids that its content was given before."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scheduler.pipeline.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from scheduler.database.unidentified import GivenId
    from scheduler.messaging.validate import Parsed

ENDED_SINCE: Final = timedelta(hours=1)
"""How long a message may take to come back after a run that ended: the broker redelivers as soon as
the consumer is gone."""


class EarlierIds:
    """The ids that the contents of a batch were given before.

    Args:
        seen: the ids.
        batches_again: the delivery keys of the first messages of redelivered batches.
        now: the current time.
    """

    def __init__(
        self, seen: Iterable[GivenId], batches_again: Collection[str], now: datetime
    ) -> None:
        self._seen: dict[bytes, list[GivenId]] = defaultdict(list)
        # The oldest first, because the newest may belong to a run that has not ended.
        for one in sorted(seen, key=lambda one: (one.claimed_at, one.message_id)):
            self._seen[one.content_sha256].append(one)
        self._batches_again = batches_again
        self._now = now

    def take(self, parsed: Parsed, neighbours: Neighbours) -> GivenId | None:
        """Return the id that a message probably has, each id once; None for a new message.

        Args:
            parsed: the message.
            neighbours: the redelivered messages next to it.
        """
        seen = self._seen[parsed.identity.sha256]
        near = [one for one in seen if neighbours.share_one(_neighbours(one))]
        found = (
            next((one for one in near if _is_left(one, parsed)), None)
            or next((one for one in near if self._is_again(one, parsed, near=True)), None)
            or next((one for one in seen if _is_left(one, parsed)), None)
            or next((one for one in seen if self._is_again(one, parsed)), None)
        )
        if found:
            seen.remove(found)
        return found

    def _is_again(self, one: GivenId, parsed: Parsed, *, near: bool = False) -> bool:
        """Return whether a message is redelivered although the run that claimed the id ended.

        Either the run's acknowledgement was lost, or another run parked the message and died, so
        that the original and the copy come: one of them has claimed the id. ``near`` tells whether
        it is next to the same message as then; otherwise the batch must be the same.
        """
        message, parked_at = parsed.message, parsed.received_at
        batches = {one.batch_key, one.parked_batch}
        recent = one.claimed_at >= self._now - ENDED_SINCE
        comes_again = near or not batches.isdisjoint(self._batches_again)
        if message.redelivered and recent and comes_again:
            return True
        if not message.unclaimed_batch or not (near or message.unclaimed_batch in batches):
            return False
        if message.has_unknown_id and one.received_at < parked_at:
            return one.claimed_at >= parked_at - ENDED_SINCE
        parked_together = one.parked_batch == message.unclaimed_batch
        if message.has_unknown_id and near and parked_together and one.received_at == parked_at:
            return True  # the copy was redelivered, and parked once more
        return one.seen_late and one.claimed_at > parked_at


def _neighbours(one: GivenId) -> Neighbours:
    return Neighbours(one.key_before, one.key_after)


def _is_left(one: GivenId, parsed: Parsed) -> bool:
    """Return whether an id was left by a run that did not end, and may be that of a message."""
    message = parsed.message
    return not one.run_ended and (message.redelivered or message.has_unknown_id)
