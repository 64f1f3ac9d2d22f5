"""The depth of each queue, its consumers, and its rates."""

from __future__ import annotations

import base64
import json
import ssl
from dataclasses import asdict, dataclass
from http.client import HTTPException
from itertools import takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

from pika.exceptions import ChannelClosedByBroker
from pydantic import Field
from pydantic.alias_generators import to_camel

from operations.context import Arguments, OperationContext
from scheduler.messaging.topology import queues
from scheduler.settings import MAX_SHARDS

if TYPE_CHECKING:
    from pika import BlockingConnection
    from pika.adapters.blocking_connection import BlockingChannel

_HTTP_TIMEOUT_SECONDS: Final = 2.0
_NOT_FOUND: Final = 404
_COLUMNS: Final = (
    "name,messages_unacknowledged,messages_ready_details.samples,"
    "message_stats.publish_details.rate,message_stats.publish_details.samples,"
    "message_stats.ack_details.rate"
)
_SAMPLES: Final = "lengths_age=3600&lengths_incr=60&msg_rates_age=60&msg_rates_incr=5"
"""Of the depth: RabbitMQ keeps an hour by default (management.sample_retention_policies). Of the
number of messages that have arrived: a minute."""


_MANAGED: Final = ("publish_rate", "ack_rate", "published_lately", "age_seconds")


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Messages that wait in a queue, and its consumers.

    The rest is None if the management plugin does not respond.

    Attributes:
        unacked: messages that were delivered and not acknowledged.
        publish_rate: messages that arrived per second.
        ack_rate: messages that were acknowledged per second.
        published_lately: messages that arrived in the last minute.
        age_seconds: since when the queue was not empty, in the last hour and to the minute: its
            oldest message is not older, as queues are read in order.
    """

    ready: int
    unacked: int | None
    consumers: int
    publish_rate: float | None = None
    ack_rate: float | None = None
    published_lately: int | None = None
    age_seconds: int | None = None


class QueuesArguments(Arguments):
    """How many shards to show; None for those of the deployment."""

    shards: int | None = Field(default=None, ge=1, le=MAX_SHARDS)


def read_queues(context: OperationContext, arguments: QueuesArguments) -> dict[str, Any]:
    """Return the depth of each queue; None for a queue that does not exist.

    ``deployedShards`` is how many shards of an event have consumers. ``outcomes`` counts the
    messages by event type and status; None if that is unknown.
    """
    shards = arguments.shards or context.shards
    return {
        "at": context.now.isoformat(),
        "shards": shards,
        "deployedShards": context.shards,
        "queues": read_depths(context, shards),
        "outcomes": context.outcomes(),
    }


def read_depths(context: OperationContext, shards: int) -> dict[str, dict[str, Any] | None]:
    """Return the depth of each queue as JSON data; None for a queue that does not exist."""
    url = context.broker_url()
    managed = managed_queues(context.management_url, unquote(urlsplit(url).path[1:]))
    with context.connected() as connection:
        depths = _depths(connection, managed, shards)
    return {name: _to_json(depth) if depth else None for name, depth in depths.items()}


def managed_queues(management_url: str | None, vhost: str) -> dict[str, dict[str, Any]]:
    """Return the figures of each queue that AMQP does not provide, by queue.

    Empty if the management plugin does not respond. Its figures are up to 5 seconds old.
    """
    if management_url is None:
        return {}
    query = f"columns={_COLUMNS}&{_SAMPLES}"
    url = urlsplit(f"{management_url}/api/queues/{quote(vhost, safe='')}?{query}")
    headers = {}
    if url.username is not None:
        login = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
    bare = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
    request = Request(bare, headers=headers)  # noqa: S310 - the settings say http or https
    context = ssl.create_default_context() if url.scheme == "https" else None
    try:
        with urlopen(request, timeout=_HTTP_TIMEOUT_SECONDS, context=context) as response:  # noqa: S310 - as above
            listed = json.load(response)
    except (HTTPException, OSError, ValueError):
        return {}
    return {one["name"]: one for one in listed}


def _to_json(depth: QueueDepth) -> dict[str, Any]:
    about = asdict(depth)
    managed = {to_camel(name): about.pop(name) for name in _MANAGED}
    return about | {name: value for name, value in managed.items() if value is not None}


def _depths(
    connection: BlockingConnection, managed: dict[str, dict[str, Any]], shards: int
) -> dict[str, QueueDepth | None]:
    channel = connection.channel()
    found: dict[str, QueueDepth | None] = {}
    for queue in queues(shards=shards):
        if channel.is_closed:  # the broker closes it when a queue does not exist
            channel = connection.channel()
        found[queue.name] = _depth(channel, queue.name, managed.get(queue.name, {}))
    if channel.is_open:
        channel.close()
    return found


def _depth(channel: BlockingChannel, name: str, managed: dict[str, Any]) -> QueueDepth | None:
    try:
        found = channel.queue_declare(name, passive=True).method
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        return None
    stats = managed.get("message_stats", {})
    return QueueDepth(
        found.message_count,
        managed.get("messages_unacknowledged", 0) if managed else None,
        found.consumer_count,
        stats.get("publish_details", {}).get("rate"),
        stats.get("ack_details", {}).get("rate"),
        published_lately(stats),
        age_of(managed) if found.message_count else None,
    )


def published_lately(stats: dict[str, Any]) -> int | None:
    """Return by how much the number of arrived messages has grown in the samples of a minute.

    None if there are no samples, as of a queue in which no message has ever arrived.
    """
    counts = [one["sample"] for one in stats.get("publish_details", {}).get("samples", [])]
    return max(counts) - min(counts) if counts else None


def age_of(managed: dict[str, Any]) -> int | None:
    """Return for how long samples of the depth are above 0; None if there are no samples."""
    samples = managed.get("messages_ready_details", {}).get("samples", [])
    newest_first = sorted(samples, key=itemgetter("timestamp"), reverse=True)
    filled = list(takewhile(itemgetter("sample"), newest_first))
    if not newest_first:
        return None
    oldest = filled[-1] if filled else newest_first[0]
    milliseconds: int = newest_first[0]["timestamp"] - oldest["timestamp"]
    return milliseconds // 1000
