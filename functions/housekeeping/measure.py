"""Asks the broker how full its queues are: RabbitMQ 4 on Amazon MQ tells CloudWatch nothing of it.

A passive declaration answers how many messages are ready. Dead letters are counted as a whole:
counting them by source would mean taking and returning every one of them each minute, hidden from
operators meanwhile. Which event they come from is in
``scheduler_event_consumed_total{event_type, status="dead_lettered"}``.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger
from pika import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from scheduler.messaging.publisher import parameters
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, queues

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_NOT_FOUND: Final = 404

_logger: Final = Logger()


def measure(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Measure the depth of every queue of the product, and how many dead letters there are."""
    with closing(BlockingConnection(parameters(tools.settings))) as connection:
        for queue in queues(shards=tools.settings.shards):
            depth = _depth(connection, queue.name)
            if depth is None:
                _logger.error("Queue is missing: declare the topology", extra={"queue": queue.name})
                continue
            dead = queue.name == DEAD_LETTER_QUEUE
            name = "scheduler_dead_letters" if dead else "scheduler_queue_depth"
            metrics.add(name, depth, queue=queue.name)
            yield 1


def _depth(connection: BlockingConnection, queue: str) -> int | None:
    """Return how many messages are ready; None for a queue that does not exist."""
    # A channel of its own: the broker closes it when the queue does not exist.
    channel = connection.channel()
    try:
        depth: int = channel.queue_declare(queue, passive=True).method.message_count
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        return None
    channel.close()
    return depth
