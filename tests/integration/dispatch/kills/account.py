"""What a drill came to, from what can be seen: deliveries as recorded, messages as accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.support.outbox import StoredDelivery


@dataclass(frozen=True, slots=True)
class Account:
    """Deliveries of a drill.

    ``lost`` were recorded as sent though no provider has them, ``unfinished`` have no end,
    ``doubled`` counts by channel what a provider accepted a second time, ``unexplained`` those
    among them that had been recorded before they were sent again.
    """

    kills: int
    deliveries: int
    statuses: Mapping[str, int]
    accepted: int
    lost: int
    unfinished: int
    doubled: Counter[str]
    unexplained: int

    @classmethod
    def of(
        cls, kills: int, rows: Collection[StoredDelivery], accepted: Mapping[tuple[str, str], int]
    ) -> Account:
        """Return the account.

        Args:
            kills: how often the dispatcher was killed.
            rows: all deliveries.
            accepted: by channel and notification id, how often a provider took it.
        """
        doubled: Counter[str] = Counter()
        times = {row.id: accepted.get((row.channel, row.notification_id), 0) for row in rows}
        for row in rows:
            doubled[row.channel] += max(0, times[row.id] - 1)
        return cls(
            kills=kills,
            deliveries=len(rows),
            statuses=Counter(row.status for row in rows),
            accepted=sum(times.values()),
            lost=sum(row.status == "sent" and not times[row.id] for row in rows),
            unfinished=sum(row.status == "pending" for row in rows),
            doubled=doubled,
            # Each record of an attempt counts it, so a second one shows.
            unexplained=sum(times[row.id] > 1 and row.attempts > 1 for row in rows),
        )

    def lines(self) -> list[str]:
        """Return the account for people."""
        doubled = self.doubled.total()
        per_kill = doubled / self.kills if self.kills else 0
        return [
            f"dispatcher killed      {self.kills}",
            f"deliveries             {self.deliveries}",
            *(f"  {status:<20} {count}" for status, count in sorted(self.statuses.items())),
            f"accepted by providers  {self.accepted}",
            f"lost                   {self.lost}",
            f"without end            {self.unfinished}",
            f"sent twice             {doubled} ({per_kill:.2f} per kill)",
            *(f"  {channel:<20} {count}" for channel, count in sorted(self.doubled.items())),
            f"  though recorded      {self.unexplained}",
        ]
