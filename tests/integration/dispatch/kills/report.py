"""Compares the deliveries as recorded with the messages that providers accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.integration.dispatch.outbox import StoredDelivery


@dataclass(frozen=True, slots=True)
class KillReport:
    """The deliveries of a drill.

    ``lost`` were recorded as sent but not accepted by a provider, ``unfinished`` are still pending,
    ``doubled`` counts by channel what a provider accepted again, ``unexplained`` those of them that
    had been recorded before they were sent again.
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
    ) -> KillReport:
        """Return the report.

        Args:
            kills: number of kills.
            rows: all deliveries.
            accepted: number of times a provider accepted, by channel and notification id.
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
            # Recording an attempt counts it, so a second recorded attempt shows.
            unexplained=sum(times[row.id] > 1 and row.attempts > 1 for row in rows),
        )

    def lines(self) -> list[str]:
        """Return the report as text."""
        doubled = self.doubled.total()
        per_kill = doubled / self.kills if self.kills else 0
        return [
            f"dispatcher killed      {self.kills}",
            f"deliveries             {self.deliveries}",
            *(f"  {status:<20} {count}" for status, count in sorted(self.statuses.items())),
            f"accepted by providers  {self.accepted}",
            f"lost                   {self.lost}",
            f"unfinished             {self.unfinished}",
            f"sent twice             {doubled} ({per_kill:.2f} per kill)",
            *(f"  {channel:<20} {count}" for channel, count in sorted(self.doubled.items())),
            f"  after recording      {self.unexplained}",
        ]
