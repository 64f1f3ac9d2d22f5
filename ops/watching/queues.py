"""How full the product's queues are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import httpx
from pika.exceptions import ChannelClosedByBroker

from scheduler.messaging import topology

if TYPE_CHECKING:
    from pika import BlockingConnection
    from pika.adapters.blocking_connection import BlockingChannel

_NOT_FOUND: Final = 404
_TIMEOUT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages wait in a queue, and how many are being worked on (None: unknown)."""

    ready: int
    unacked: int | None
    consumers: int


def depths(
    connection: BlockingConnection, unacknowledged: dict[str, int], shards: int = 1
) -> dict[str, Depth | None]:
    """Return the depth of every queue; None for one that does not exist."""
    channel = connection.channel()
    found: dict[str, Depth | None] = {}
    for queue in topology.queues(shards=shards):
        if channel.is_closed:  # the broker does that when a queue does not exist
            channel = connection.channel()
        found[queue.name] = _depth(channel, queue.name, unacknowledged.get(queue.name))
    if channel.is_open:
        channel.close()
    return found


def unacknowledged(management_url: str, vhost: str) -> dict[str, int]:
    """Return how many messages of each queue are unacknowledged: AMQP does not tell.

    Empty while the management plugin does not answer; its figures are up to 5 seconds old.
    """
    url = f"{management_url}/api/queues/{quote(vhost, safe='')}"
    columns = {"columns": "name,messages_unacknowledged"}
    try:
        answer = httpx.get(url, params=columns, timeout=_TIMEOUT).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return {}
    return {one["name"]: one.get("messages_unacknowledged", 0) for one in answer}


def _depth(channel: BlockingChannel, name: str, unacked: int | None) -> Depth | None:
    try:
        found = channel.queue_declare(name, passive=True).method
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        return None
    return Depth(found.message_count, unacked, found.consumer_count)
