"""The queues' depths and the events' outcomes at one moment, as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, unquote, urlsplit

import httpx
from pika.exceptions import ChannelClosedByBroker
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table
from rich.text import Text

from scheduler.messaging.topology import (
    DEAD_LETTER_QUEUE,
    NOTIFICATION_QUEUE,
    WORK_QUEUES,
    WorkQueue,
    queues,
)
from scheduler.pipeline.settle import Settlement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pika import BlockingConnection
    from pika.adapters.blocking_connection import BlockingChannel

EventOutcomes = dict[str, dict[str, int]]
"""Number of messages by event type and status."""

_FAILURES: Final = frozenset((Settlement.INVALID, Settlement.DEAD_LETTERED, Settlement.ERROR))
_CONSUMED_METRIC: Final = "scheduler_event_consumed_total"
_HTTP_TIMEOUT_SECONDS: Final = 2.0
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Messages that wait in a queue, unacknowledged messages (None: unknown), and consumers."""

    ready: int
    unacked: int | None
    consumers: int


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The state of all queues.

    Attributes:
        queues: the depth of each queue; None for a queue that does not exist.
        outcomes: None if no metrics are available.
        shards: queues per event; the table shows their sum.
    """

    at: datetime
    queues: dict[str, QueueDepth | None]
    outcomes: EventOutcomes | None
    shards: int = 1

    @classmethod
    def take(
        cls, connection: BlockingConnection, endpoints: Mapping[str, Any], shards: int | None = None
    ) -> Self:
        """Query the broker, and the other endpoints of the local platform if they are given."""
        shards = shards or endpoints.get("shards", 1)
        unacked: dict[str, int] = {}
        if "rabbitmq_management" in endpoints:
            vhost = unquote(urlsplit(endpoints["amqp"]).path[1:])
            unacked = unacknowledged(endpoints["rabbitmq_management"], vhost)
        outcomes = _outcomes(endpoints["api"]) if "api" in endpoints else None
        return cls(datetime.now(UTC), _depths(connection, unacked, shards), outcomes, shards)

    def to_json(self) -> dict[str, Any]:
        """Return the snapshot as JSON data."""
        depths = {name: depth and asdict(depth) for name, depth in self.queues.items()}
        return {"at": self.at.isoformat(), "queues": depths, "outcomes": self.outcomes}

    def table(self) -> Table:
        """Return a table with a row per event."""
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
                self._ready(*(shard.name for shard in self._shards_of(queue))),
                self._in_work(*(shard.name for shard in self._shards_of(queue))),
                self._ready(*(shard.retry_name for shard in self._shards_of(queue))),
                *(_count(counts.get(status, 0), bad=status in _FAILURES) for status in statuses),
            )
        return table

    def _caption(self) -> Text:
        dead = self._ready(DEAD_LETTER_QUEUE, bad=True)
        nudges = self._ready(NOTIFICATION_QUEUE)
        at = f"{self.at.astimezone():%H:%M:%S}"
        return Text.assemble("\nDead letters: ", dead, "   Nudges: ", nudges, f"   {at}")

    def _shards_of(self, queue: WorkQueue) -> list[WorkQueue]:
        return [WorkQueue(queue.event_type, shard) for shard in range(self.shards)]

    def _in_work(self, *names: str) -> Text:
        depths = [self.queues[name] for name in names]
        counts = [depth.unacked for depth in depths if depth and depth.unacked is not None]
        return _count(sum(counts)) if len(counts) == len(names) else Text("?")

    def _ready(self, *names: str, bad: bool = False) -> Text:
        counts = [depth.ready for name in names if (depth := self.queues[name])]
        missing = len(counts) < len(names)
        return Text("missing", "bold red") if missing else _count(sum(counts), bad=bad)


def unacknowledged(management_url: str, vhost: str) -> dict[str, int]:
    """Return the number of unacknowledged messages of each queue, which AMQP does not provide.

    Empty if the management plugin does not respond. Its figures are up to 5 seconds old.
    """
    url = f"{management_url}/api/queues/{quote(vhost, safe='')}"
    columns = {"columns": "name,messages_unacknowledged"}
    try:
        response = httpx.get(url, params=columns, timeout=_HTTP_TIMEOUT_SECONDS).raise_for_status()
        listed = response.json()
    except (httpx.HTTPError, ValueError):
        return {}
    return {one["name"]: one.get("messages_unacknowledged", 0) for one in listed}


def _depths(
    connection: BlockingConnection, unacked: dict[str, int], shards: int
) -> dict[str, QueueDepth | None]:
    channel = connection.channel()
    found: dict[str, QueueDepth | None] = {}
    for queue in queues(shards=shards):
        if channel.is_closed:  # the broker closes it when a queue does not exist
            channel = connection.channel()
        found[queue.name] = _depth(channel, queue.name, unacked.get(queue.name))
    if channel.is_open:
        channel.close()
    return found


def _depth(channel: BlockingChannel, name: str, unacked: int | None) -> QueueDepth | None:
    try:
        found = channel.queue_declare(name, passive=True).method
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        return None
    return QueueDepth(found.message_count, unacked, found.consumer_count)


def _outcomes(api_url: str) -> EventOutcomes | None:
    """Return the local platform's counts since its start; None if it does not respond."""
    try:
        response = httpx.get(f"{api_url}/metrics", timeout=_HTTP_TIMEOUT_SECONDS)
        text = response.raise_for_status().text
    except httpx.HTTPError:
        return None
    counts: EventOutcomes = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == _CONSUMED_METRIC:
                of_event = counts.setdefault(sample.labels["event_type"], {})
                of_event[sample.labels["status"]] = int(sample.value)
    return counts


def _count(number: int, *, bad: bool = False) -> Text:
    if not number:
        return Text("0", "dim")
    return Text(f"{number}", "bold red" if bad else "bold")
