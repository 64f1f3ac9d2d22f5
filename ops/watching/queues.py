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

_NOT_FOUND: Final = 404
_TIMEOUT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages wait in a queue, and how many are being worked on (None: unknown)."""

    ready: int
    unacked: int | None
    consumers: int


def depths(
    connection: BlockingConnection, unacknowledged: dict[str, int]
) -> dict[str, Depth | None]:
    """Return the depth of every queue; None for one that does not exist."""
    return {
        queue.name: _depth(connection, queue.name, unacknowledged.get(queue.name))
        for queue in topology.queues()
    }


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


def _depth(connection: BlockingConnection, name: str, unacked: int | None) -> Depth | None:
    # A channel of its own: the broker closes it when the queue does not exist.
    channel = connection.channel()
    try:
        found = channel.queue_declare(name, passive=True).method
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        return None
    channel.close()
    return Depth(found.message_count, unacked, found.consumer_count)
