"""Queues and outcomes at one moment, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote, urlsplit

from rich.table import Table
from rich.text import Text

from ops.watching.outcomes import Outcomes, outcomes
from ops.watching.queues import Depth, depths, unacknowledged
from scheduler.messaging.topology import (
    DEAD_LETTER_QUEUE,
    NOTIFICATION_QUEUE,
    WORK_QUEUES,
    WorkQueue,
)
from scheduler.pipeline.settle import Settlement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pika import BlockingConnection

_BAD: Final = frozenset((Settlement.INVALID, Settlement.DEAD_LETTERED, Settlement.ERROR))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was found; ``outcomes`` is None where no metrics are served.

    ``shards`` is how many queues an event has; people see their sum.
    """

    at: datetime
    queues: dict[str, Depth | None]
    outcomes: Outcomes | None
    shards: int = 1

    @classmethod
    def take(
        cls, connection: BlockingConnection, endpoints: Mapping[str, Any], shards: int | None = None
    ) -> Self:
        """Ask the broker, and what else of the local platform is among the endpoints."""
        shards = shards or endpoints.get("shards", 1)
        held: dict[str, int] = {}
        if "rabbitmq_management" in endpoints:
            vhost = unquote(urlsplit(endpoints["amqp"]).path[1:])
            held = unacknowledged(endpoints["rabbitmq_management"], vhost)
        counts = outcomes(endpoints["api"]) if "api" in endpoints else None
        return cls(datetime.now(UTC), depths(connection, held, shards), counts, shards)

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        queues = {name: depth and asdict(depth) for name, depth in self.queues.items()}
        return {"at": self.at.isoformat(), "queues": queues, "outcomes": self.outcomes}

    def table(self) -> Table:
        """Return a table with a row for each event."""
        statuses = list(Settlement) if self.outcomes is not None else []
        table = Table(box=None, pad_edge=False, caption=self._caption(), caption_justify="left")
        table.add_column("Event")
        for name in (
            "Ready",
            "In work",
            "Retry",
            *(status.replace("_", " ") for status in statuses),
        ):
            table.add_column(name, justify="right")
        for queue in WORK_QUEUES:
            counts = (self.outcomes or {}).get(queue.event_type, {})
            table.add_row(
                queue.event_type,
                self._ready(*(shard.name for shard in self._of(queue))),
                self._in_work(*(shard.name for shard in self._of(queue))),
                self._ready(*(shard.retry_name for shard in self._of(queue))),
                *(_count(counts.get(status, 0), bad=status in _BAD) for status in statuses),
            )
        return table

    def _caption(self) -> Text:
        dead = self._ready(DEAD_LETTER_QUEUE, bad=True)
        nudges = self._ready(NOTIFICATION_QUEUE)
        at = f"{self.at.astimezone():%H:%M:%S}"
        return Text.assemble("\nDead letters: ", dead, "   Nudges: ", nudges, f"   {at}")

    def _of(self, queue: WorkQueue) -> list[WorkQueue]:
        return [WorkQueue(queue.event_type, shard) for shard in range(self.shards)]

    def _in_work(self, *names: str) -> Text:
        depths = [self.queues[name] for name in names]
        counts = [depth.unacked for depth in depths if depth and depth.unacked is not None]
        return _count(sum(counts)) if len(counts) == len(names) else Text("?")

    def _ready(self, *names: str, bad: bool = False) -> Text:
        counts = [depth.ready for name in names if (depth := self.queues[name])]
        missing = len(counts) < len(names)
        return Text("missing", "bold red") if missing else _count(sum(counts), bad=bad)


def _count(number: int, *, bad: bool = False) -> Text:
    if not number:
        return Text("0", "dim")
    return Text(f"{number}", "bold red" if bad else "bold")
