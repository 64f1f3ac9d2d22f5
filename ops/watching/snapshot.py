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
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, NOTIFICATION_QUEUE, WORK_QUEUES
from scheduler.pipeline.settle import Settlement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pika import BlockingConnection

_BAD: Final = frozenset((Settlement.INVALID, Settlement.DEAD_LETTERED, Settlement.ERROR))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was found; ``outcomes`` is None where no metrics are served."""

    at: datetime
    queues: dict[str, Depth | None]
    outcomes: Outcomes | None

    @classmethod
    def take(cls, connection: BlockingConnection, endpoints: Mapping[str, Any]) -> Self:
        """Ask the broker, and what else of the local platform is among the endpoints."""
        held: dict[str, int] = {}
        if "rabbitmq_management" in endpoints:
            vhost = unquote(urlsplit(endpoints["amqp"]).path[1:])
            held = unacknowledged(endpoints["rabbitmq_management"], vhost)
        counts = outcomes(endpoints["api"]) if "api" in endpoints else None
        return cls(datetime.now(UTC), depths(connection, held), counts)

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
                self._ready(queue.name),
                self._in_work(queue.name),
                self._ready(queue.retry_name),
                *(_count(counts.get(status, 0), bad=status in _BAD) for status in statuses),
            )
        return table

    def _caption(self) -> Text:
        dead = self._ready(DEAD_LETTER_QUEUE, bad=True)
        nudges = self._ready(NOTIFICATION_QUEUE)
        at = f"{self.at.astimezone():%H:%M:%S}"
        return Text.assemble("\nDead letters: ", dead, "   Nudges: ", nudges, f"   {at}")

    def _in_work(self, name: str) -> Text:
        depth = self.queues[name]
        return Text("?") if depth is None or depth.unacked is None else _count(depth.unacked)

    def _ready(self, name: str, *, bad: bool = False) -> Text:
        depth = self.queues[name]
        return Text("missing", "bold red") if depth is None else _count(depth.ready, bad=bad)


def _count(number: int, *, bad: bool = False) -> Text:
    if not number:
        return Text("0", "dim")
    return Text(f"{number}", "bold red" if bad else "bold")
